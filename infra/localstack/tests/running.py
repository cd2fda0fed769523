"""An emulator of its own for a test, and clients of it."""

import os
import pathlib
import random
import subprocess
import sys
import time

import boto3

FOLDER = pathlib.Path(__file__).parent.parent

PATIENCE_SECONDS = 120


def start() -> subprocess.Popen:
    """Starts an emulator that ends when its ``stdin`` is closed; the endpoint is in ``.endpoint``."""
    command = [sys.executable, "-m", "emulator", "--attached"]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    process = subprocess.Popen(command, cwd=FOLDER, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = process.stdout.readline().decode().strip()
    assert line.startswith("AWS_ENDPOINT_URL="), line
    process.endpoint = line.partition("=")[2]
    return process


def stop(process: subprocess.Popen) -> None:
    """Ends it the way the end of its parent would."""
    process.stdin.close()
    process.wait(PATIENCE_SECONDS)
    process.stdout.close()


def clients_of(account: str, endpoint: str, *services: str) -> list:
    """Clients for an account: a 12-digit key id is the account."""
    session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="test", region_name="us-east-1")
    return [session.client(service, endpoint_url=endpoint) for service in services]


def account_and_clients(endpoint: str, *services: str) -> list:
    """A new account, and clients for it."""
    account = f"{random.randrange(10**11, 10**12)}"
    return [account, *clients_of(account, endpoint, *services)]


def clients(endpoint: str, *services: str) -> list:
    """Clients with an account of their own."""
    return account_and_clients(endpoint, *services)[1:]


def eventually(what: str, look):
    """The first result of ``look`` that is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")
