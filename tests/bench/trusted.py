"""`stadtsinn` on a machine whose clock is vouched for, whatever this one's time service says."""

from agent import clock
from agent.__main__ import main

clock.ntp_synchronised = lambda: True

if __name__ == "__main__":
    main()
