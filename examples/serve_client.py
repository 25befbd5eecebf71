"""Ask a running TF Serving what it sees in image files, over REST or gRPC.

python examples/serve_client.py photo.jpg other.png --model cells
python examples/serve_client.py photo.jpg --model cells --grpc --server localhost:8500
python examples/serve_client.py photo.jpg --model cells --signature embed
python examples/serve_client.py photo.jpg --model zones --output maps    # maps/photo-classes.png
python examples/serve_client.py photo.jpg --model trees --score 0.5      # boxes, in its pixels

A classifier names classes, a segmenter gives a gray PNG of every pixel's class, a detector boxes.
REST needs nothing but Python; gRPC needs the package tensorflow-serving-api.
"""

import argparse
import base64
import json
import sys
import urllib.error
import urllib.request
from array import array
from pathlib import Path

DT_INT32, DT_STRING = 3, 7  # of TensorFlow's types.proto, not worth importing TensorFlow for


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="JPEG or PNG, one request for all")
    parser.add_argument("--model", required=True, help="its name, MODEL_NAME of the server")
    parser.add_argument("--version", type=int, help="default: the newest that is served")
    parser.add_argument(
        "--signature", default="serving_default", choices=("serving_default", "embed")
    )
    parser.add_argument("--output", type=Path, default=Path(), help="folder of class maps")
    parser.add_argument("--score", type=float, default=0.3, help="least score of a box")
    parser.add_argument("--server", help="default: localhost:8501, with --grpc localhost:8500")
    parser.add_argument("--grpc", action="store_true", help="speak gRPC instead of REST")
    parser.add_argument("--timeout", type=float, default=60, help="seconds")
    options = parser.parse_args()
    options.server = options.server or ("localhost:8500" if options.grpc else "localhost:8501")
    return options


def ask_rest(options: argparse.Namespace, images: list[bytes]) -> list[dict]:
    """Return the outputs for each image, in TF Serving's row format."""
    version = f"/versions/{options.version}" if options.version is not None else ""
    instances = [{"image_bytes": {"b64": base64.b64encode(image).decode()}} for image in images]
    request = urllib.request.Request(
        f"http://{options.server}/v1/models/{options.model}{version}:predict",
        json.dumps({"signature_name": options.signature, "instances": instances}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=options.timeout) as response:
            rows = json.load(response)["predictions"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error).get("error", error.reason)) from error
    # A signature with one output gives its rows without its name.
    rows = [row if isinstance(row, dict) else {"embedding": row} for row in rows]
    for row in rows:
        row |= {
            name: base64.b64decode(value["b64"])
            for name, value in row.items()
            if name.endswith("_bytes")
        }
    return rows


def ask_grpc(options: argparse.Namespace, images: list[bytes]) -> list[dict]:
    """Return the outputs for each image, from a PredictRequest."""
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = options.model
    request.model_spec.signature_name = options.signature
    if options.version is not None:
        request.model_spec.version.value = options.version
    tensor = request.inputs["image_bytes"]
    tensor.dtype = DT_STRING
    tensor.tensor_shape.dim.add(size=len(images))
    tensor.string_val.extend(images)
    # Photographs are larger than the 4 MiB that gRPC allows unless told otherwise.
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(options.server, unlimited) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = stub.Predict(request, timeout=options.timeout)
        except grpc.RpcError as error:
            raise RuntimeError(error.details()) from error
    columns = {name: values(name, tensor) for name, tensor in response.outputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values(name: str, tensor) -> list:
    """Read the rows of a TensorProto of strings or numbers, which have one of two forms."""
    if tensor.dtype == DT_STRING:
        is_text = not name.endswith("_bytes")
        flat = [value.decode() if is_text else value for value in tensor.string_val]
    elif tensor.dtype == DT_INT32:
        flat = list(tensor.int_val) or list(array("i", tensor.tensor_content))
    else:
        flat = list(tensor.float_val) or list(array("f", tensor.tensor_content))
    for dimension in reversed(tensor.tensor_shape.dim[1:]):
        size = dimension.size
        flat = [flat[start : start + size] for start in range(0, len(flat), size)]
    return flat


def shown(file: Path, answer: dict, output: Path = Path(), score: float = 0.3) -> str:
    """Say what was answered; a class map is written to a file in `output`."""
    if "class_map_bytes" in answer:
        path = output / f"{file.stem}-classes.png"
        output.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer["class_map_bytes"])
        names = ", ".join(f"{value} {name}" for value, name in enumerate(answer["classes"]))
        return f"{path}, with {names}"
    if "boxes" in answer:
        found = zip(answer["names"], answer["scores"], answer["boxes"], strict=True)
        lines = [
            f"\n  {name} {sure:.4f} at " + ", ".join(f"{side:.0f}" for side in box)
            for name, sure, box in found
            if name and sure >= score
        ]
        height, width = answer["size"]
        return f"{width} × {height} pixels, {len(lines)} boxes" + "".join(lines)
    if "classes" not in answer:
        start = " ".join(f"{number:.4f}" for number in answer["embedding"][:4])
        return f"embedding of {len(answer['embedding'])} numbers: {start} …"
    pairs = zip(answer["probabilities"], answer["classes"], strict=True)
    return ", ".join(f"{name} {probability:.4f}" for probability, name in sorted(pairs)[:-6:-1])


def main() -> None:
    options = arguments()
    ask = ask_grpc if options.grpc else ask_rest
    try:
        answers = ask(options, [file.read_bytes() for file in options.files])
    except (ImportError, OSError, RuntimeError) as error:
        sys.exit(f"{options.server}: {str(error).strip()}")
    for file, answer in zip(options.files, answers, strict=True):
        print(f"{file}: {shown(file, answer, options.output, options.score)}")


if __name__ == "__main__":
    main()
