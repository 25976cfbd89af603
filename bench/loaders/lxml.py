"""lxml's iterparse over a file of XML, nothing stored: `python -m bench.loaders.lxml FILE`."""

from __future__ import annotations

import json
import sys
import time

from lxml.etree import iterparse


def main(path: str) -> dict[str, float]:
    """Read the attributes of every row as a dictionary, and free the element."""
    began, rows = time.perf_counter(), 0
    for _, row in iterparse(path, tag="row"):
        dict(row.attrib)
        rows += 1
        row.clear()
        while row.getprevious() is not None:
            del row.getparent()[0]
    return {"seconds": time.perf_counter() - began, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
