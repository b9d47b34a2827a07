"""Wrong lines by the hundred: which of them does the suite not see?"""
