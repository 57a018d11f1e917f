"""The rows of the comparison: each module has a `measure(bench)` that returns a section of the report."""

from . import answers, disk, growth, jobs, memory, pending, s3, start, throttled, tls

ROWS = {
    "disk": disk,
    "throttled": throttled,
    "answers": answers,
    "s3": s3,
    "tls": tls,
    "memory": memory,
    "jobs": jobs,
    "pending": pending,
    "start": start,
    "growth": growth,
}
