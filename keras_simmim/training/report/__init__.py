"""The report: one page about one run, from the files that the run left."""

from keras_simmim.training.report.write_report import write_report

__all__ = ["write_report"]
