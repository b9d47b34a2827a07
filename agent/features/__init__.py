"""What a window of samples becomes: pure functions over arrays, state handed in and handed back.

numpy is imported nowhere else, and only by a profile that uses these (extra `bridge`).
"""

import os

# the matrices are small: a second thread makes them slower, and drains wait for it
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is imported
