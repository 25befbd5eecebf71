"""Small valid files of every format that needs a reader of its own, to be changed."""

import io
from pathlib import Path

import numpy as np
from PIL import Image


def format_files(name: str, folder: Path) -> dict[str, bytes]:
    """Valid files of a format, by what they are."""
    generator = np.random.default_rng(0)
    color = generator.integers(0, 256, (24, 32, 3), dtype="uint8")
    deep = generator.integers(0, 65536, (24, 32, 3), dtype="uint16")
    bands = generator.normal(size=(24, 32, 5)).astype("float32")
    path = folder / "whole"
    found = {}

    def keep(kind: str) -> None:
        found[kind] = path.read_bytes()

    if name == "tiff":
        import tifffile

        contiguous = {"photometric": "minisblack", "planarconfig": "contig"}
        kinds = {
            "color": (color, {}),
            "bands": (bands, contiguous),
            "planes": (np.moveaxis(bands, -1, 0), {**contiguous, "planarconfig": "separate"}),
            "tiles": (deep, {"tile": (16, 16), "compression": "deflate"}),
            "lzw": (color, {"compression": "lzw", "predictor": 2}),
            "jpeg": (color, {"compression": "jpeg"}),
            "pages": (np.moveaxis(deep, -1, 0), {"photometric": "minisblack"}),
            "ome": (np.moveaxis(deep, -1, 0), {"ome": True, "metadata": {"axes": "CYX"}}),
            "big": (deep, {"bigtiff": True, "byteorder": ">"}),
        }
        for kind, (pixels, options) in kinds.items():
            tifffile.imwrite(path, pixels, **options)
            keep(kind)
        Image.fromarray(color).quantize(32).save(path, "TIFF", compression="packbits")
        keep("palette")
    elif name == "dicom":
        import pydicom
        from pydicom.dataset import FileDataset, FileMetaDataset

        for kind, pixels in {"signed": deep[..., 0].astype("int16"), "color": color}.items():
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2.3"
            stated = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
            stated.SOPClassUID = stated.SOPInstanceUID = "1.2.3"
            stated.Rows, stated.Columns, stated.PlanarConfiguration = 24, 32, 0
            stated.SamplesPerPixel = 3 if kind == "color" else 1
            stated.PhotometricInterpretation = "RGB" if kind == "color" else "MONOCHROME1"
            stated.BitsAllocated = stated.BitsStored = 8 * pixels.dtype.itemsize
            stated.HighBit, stated.PixelRepresentation = (
                stated.BitsStored - 1,
                int(kind == "signed"),
            )
            if kind == "signed":
                stated.RescaleSlope, stated.RescaleIntercept = "2", "-1024"
                stated.WindowCenter, stated.WindowWidth = "40", "400"
            stated.PixelData = pixels.tobytes()
            stated.save_as(path)
            keep(kind)
            stated.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
            stated.save_as(path)
            keep(f"{kind} RLE")
    elif name in ("npy", "npz"):
        for number, pixels in enumerate((color, deep, bands, color[..., 0])):
            file = io.BytesIO()
            if name == "npy":
                np.save(file, pixels)
            else:
                (np.savez if number % 2 else np.savez_compressed)(file, image=pixels)
            found[str(number)] = file.getvalue()
    elif name == "deep_png":
        import tensorflow as tf

        found = {str(c): tf.io.encode_png(deep[..., :c]).numpy() for c in (1, 3)}
    elif name == "avif":
        Image.fromarray(color).save(path, "AVIF")
        keep("color")
    else:
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(color)).save(path)
        keep("color")
    return found
