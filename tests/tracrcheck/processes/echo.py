"""What a process of the tests answers: the request. At `start` it leaves a process of another session behind."""

import subprocess


def handle(request: bytes) -> str:
    if request == b"start":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    return request.decode()
