"""What a process of the tests answers: the request."""


def handle(request: bytes) -> str:
    return request.decode()
