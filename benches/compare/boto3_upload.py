"""What many write today: requests streams the archive, boto3 uploads it in parts.

boto3_upload.py URL ENDPOINT BUCKET KEY PART_SIZE PARTS_AT_ONCE
"""

import sys

import boto3
import requests
from boto3.s3.transfer import TransferConfig

url, endpoint, bucket, key, part_size, parts_at_once = sys.argv[1:]
config = TransferConfig(
    multipart_threshold=int(part_size),
    multipart_chunksize=int(part_size),
    max_concurrency=int(parts_at_once),
)
store = boto3.client("s3", endpoint_url=endpoint)
with requests.get(url, stream=True, timeout=60) as reply:
    reply.raise_for_status()
    store.upload_fileobj(reply.raw, bucket, key, Config=config)
