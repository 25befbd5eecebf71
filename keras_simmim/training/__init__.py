"""Everything around `fit`: recipes, optimizers, schedules, callbacks, resuming, the report."""

from keras_simmim.training import callbacks
from keras_simmim.training.augmentation import Augmentation
from keras_simmim.training.crops import Crops
from keras_simmim.training.distribute import Distribution, distribute
from keras_simmim.training.fine_tuning_recipe import FineTuningRecipe, fine_tuning_recipe
from keras_simmim.training.joint_crops import JointCrops
from keras_simmim.training.measured import Measured
from keras_simmim.training.pretraining_recipe import PretrainingRecipe, pretraining_recipe
from keras_simmim.training.report import write_report
from keras_simmim.training.resume import Resumed, resume
from keras_simmim.training.run_record import record_run
from keras_simmim.training.selective_adamw import SelectiveAdamW
from keras_simmim.training.stopping import Stopped, stop_gently
from keras_simmim.training.warmup_cosine import WarmupCosine
from keras_simmim.training.warmup_milestones import WarmupMilestones
from keras_simmim.training.written_once import written_once

__all__ = [
    "Augmentation",
    "Crops",
    "Distribution",
    "FineTuningRecipe",
    "JointCrops",
    "Measured",
    "PretrainingRecipe",
    "Resumed",
    "SelectiveAdamW",
    "Stopped",
    "WarmupCosine",
    "WarmupMilestones",
    "callbacks",
    "distribute",
    "fine_tuning_recipe",
    "pretraining_recipe",
    "record_run",
    "resume",
    "stop_gently",
    "write_report",
    "written_once",
]
