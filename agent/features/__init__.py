"""What a window of samples becomes: pure functions over arrays, state handed in and handed back.

numpy is imported nowhere else, and only by a profile that uses these (extra `bridge`).
"""
