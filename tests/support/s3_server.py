"""A local server that speaks S3, for tests that read and write a store."""

import os
from contextlib import contextmanager
from itertools import count
from typing import Iterator
from unittest.mock import patch

import pytest

__all__ = ["s3_bucket"]

NUMBERS = count()


@contextmanager
def s3_bucket() -> Iterator[str]:
    """
    Runs a server with one empty bucket, or skips the test if a package for it is missing.

    fsspec finds it by environment variables, also in child processes that start meanwhile.

    # Returns

    `Iterator[str]`
        URL of the bucket, such as `s3://bucket-0`.
    """
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": host,
        "no_proxy": host,
    }
    # The server keeps the buckets of earlier tests in this process.
    bucket = f"bucket-{next(NUMBERS)}"
    try:
        with patch.dict(os.environ, variables):
            # fsspec keeps the file systems of earlier servers.
            s3fs.S3FileSystem.clear_instance_cache()
            s3fs.S3FileSystem().mkdir(bucket)
            yield f"s3://{bucket}"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
