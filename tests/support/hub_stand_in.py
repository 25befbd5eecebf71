"""A stand-in for the Hugging Face hub: as much of its language as downloads and uploads need."""

import base64
import hashlib
import http.server
import json
import threading
from contextlib import contextmanager

COMMIT = "0" * 40
TOKEN = "hf_of_the_stand_in"
MODEL = "/api/models/owner/name"


@contextmanager
def hub_stand_in(files):
    """Serve files, a dictionary of names and contents, as the model "owner/name".

    Uploads to "owner/name" with `TOKEN` change the dictionary; of anything else there is nothing.

    Yields:
        The server's address.
    """

    class Hub(http.server.BaseHTTPRequestHandler):
        def answer(self, body=True):
            path = self.path.split("?")[0]
            if path.startswith("/api/models/owner/name/revision/") or path == MODEL:
                siblings = [{"rfilename": name} for name in files]
                self.give({"id": "owner/name", "sha": COMMIT, "siblings": siblings}, body)
            elif path.startswith("/api/models/owner/name/tree/"):
                tree = [
                    {"type": "file", "path": name, "size": len(value), "oid": "1"}
                    for name, value in files.items()
                ]
                self.give(tree, body)
            elif path.startswith("/owner/name/resolve/") and path.split("/", 5)[-1] in files:
                self.give(files[path.split("/", 5)[-1]], body)
            else:
                self.refuse(404, "RepoNotFound")

        def take(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path.split("?")[0]
            if path == "/api/validate-yaml":
                self.give({"errors": [], "warnings": []})
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.refuse(401, "Unauthorized")
            elif path == "/api/repos/create":
                asked = json.loads(content)
                if (asked.get("organization"), asked["name"]) == ("owner", "name"):
                    self.give({"url": f"http://{self.headers['Host']}/owner/name"})
                else:
                    self.refuse(403, "Forbidden")
            elif path == f"{MODEL}/preupload/main":
                asked = json.loads(content)["files"]
                small = [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in asked]
                self.give({"files": small})
            elif path == f"{MODEL}/commit/main":
                for line in content.decode().splitlines():
                    change = json.loads(line)
                    if change["key"] == "file":
                        value = change["value"]
                        files[value["path"]] = base64.b64decode(value["content"])
                address = f"http://{self.headers['Host']}/owner/name/commit/{COMMIT}"
                self.give({"commitUrl": address, "commitOid": COMMIT, "success": True})
            else:
                self.refuse(404, "RepoNotFound")

        def give(self, content, body=True):
            kind = "application/octet-stream"
            if not isinstance(content, bytes):
                content, kind = json.dumps(content).encode(), "application/json"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.end_headers()
            if body:
                self.wfile.write(content)

        def refuse(self, code, reason):
            self.send_response(code)
            self.send_header("X-Error-Code", reason)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.answer()

        def do_HEAD(self):
            self.answer(body=False)

        def do_POST(self):
            self.take()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(endpoint, cache, inherited, **more):
    """Give the variables of a process for which the hub is at `endpoint`."""
    kept = {
        name: value for name, value in inherited.items() if not name.startswith(("HF_", "HUGGING"))
    }
    return {
        **kept,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "no_proxy": "127.0.0.1",
        **more,
    }
