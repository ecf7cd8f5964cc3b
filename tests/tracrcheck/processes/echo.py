"""Answers each request with the request itself. At `start` it leaves a process in another session behind."""

import subprocess


def handle(request: bytes) -> str:
    if request == b"start":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    return request.decode()
