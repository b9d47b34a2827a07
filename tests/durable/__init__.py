"""What must never be lost, under kill -9, full disks and damage."""
