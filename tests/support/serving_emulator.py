"""An emulator of TF Serving's two interfaces, for one model: not the real server.

It answers, through the exported files, what the documentation of the REST API and the wire messages
of tensorflow-serving-api allow, and refuses everything else.
"""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def as_json(name, value):
    """An output as the server writes it: base64 where its name says that it is binary."""
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(contents).decode()} for contents in value]
    return np.vectorize(bytes.decode)(value).tolist() if value.dtype == object else value.tolist()


class Rest:
    """POST /v1/models/NAME[/versions/N]:predict in the row format."""

    def __init__(self, served, name, version):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                status, answer = self.answer(json.loads(self.rfile.read(length)))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def answer(self, request):
                paths = [
                    f"/v1/models/{name}{part}:predict" for part in ("", f"/versions/{version}")
                ]
                if self.path not in paths:
                    return 404, {"error": f"Servable not found for request: {self.path}"}
                assert set(request) <= {"signature_name", "instances"}
                files = []
                for instance in request["instances"]:
                    assert list(instance) == ["image_bytes"]
                    assert list(instance["image_bytes"]) == ["b64"]
                    files.append(base64.b64decode(instance["image_bytes"]["b64"], validate=True))
                try:
                    outputs = served.predict(files, signature=request.get("signature_name"))
                except tf.errors.InvalidArgumentError as error:
                    return 400, {"error": error.message}
                columns = {key: as_json(key, value) for key, value in outputs.items()}
                # One output alone goes without its name.
                if len(columns) == 1:
                    return 200, {"predictions": next(iter(columns.values()))}
                rows = zip(*columns.values(), strict=True)
                return 200, {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("localhost", 0), Handler)
        self.address = f"localhost:{self.server.server_port}"

    def __enter__(self):
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    """PredictionService.Predict; tensors come back in the form of `tensor_content` or not."""

    def __init__(self, served, name, version, as_content):
        self.served, self.name, self.version, self.as_content = served, name, version, as_content
        self.server = grpc.server(ThreadPoolExecutor(1))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self.server)
        self.address = f"localhost:{self.server.add_insecure_port('localhost:0')}"

    def Predict(self, request, context):  # noqa: N802
        """Answer one request."""
        specification = request.model_spec
        if specification.name != self.name or specification.version.value not in (0, self.version):
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = self.served.predict(**inputs, signature=specification.signature_name)
        except tf.errors.InvalidArgumentError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
        response = predict_pb2.PredictResponse(model_spec=specification)
        for key, value in outputs.items():
            tensor = tf.make_tensor_proto(value)
            if value.dtype != object and not self.as_content:
                tensor.ClearField("tensor_content")
                numbers = tensor.int_val if value.dtype == np.int32 else tensor.float_val
                numbers.extend(value.flatten().tolist())
            response.outputs[key].CopyFrom(tensor)
        return response

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()
