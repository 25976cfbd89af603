"""`python -m worker` is the `headrace` command, for where no console script is installed."""

from worker.entry import main

main()
