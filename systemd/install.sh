#!/bin/sh
# Install or update Stadtsinn as a service, from this folder's checkout. Run it as root:
#     sudo systemd/install.sh [PROFILE]
# Makes /opt/stadtsinn (its own Python environment), the user stadtsinn, the unit, udev rules, and
# /etc/stadtsinn/node.toml if there is none yet. Running it again updates and keeps your profile.
set -eu
umask 022  # the service has to read what is installed here
here=$(cd "$(dirname "$0")" && pwd)
profile=${1:-$here/../hw/nodes/school.toml}
[ "$(id -u)" = 0 ] || { echo "Please type:  sudo $0" >&2; exit 1; }
[ -f "$profile" ] || { echo "no such profile: $profile" >&2; exit 2; }
if [ "$(getconf LONG_BIT)" != 64 ]; then
    echo "this system is 32-bit: libraries the node needs (cbor2, msgspec) are made for 64-bit only." >&2
    echo "Please write Raspberry Pi OS (64-bit) onto the card: Raspberry Pi Imager, Pi 3 or later, Zero 2 W" >&2
    exit 1
fi
"$here/../.ci/packages" python3-venv='python3 -c "import venv, ensurepip"'

python3 -m venv /opt/stadtsinn
/opt/stadtsinn/bin/pip install --quiet --disable-pip-version-check --upgrade "$here/.."
ln -sf /opt/stadtsinn/bin/stadtsinn /usr/local/bin/stadtsinn

install -D -m 644 "$here/stadtsinn.sysusers" /usr/lib/sysusers.d/stadtsinn.conf
install -D -m 644 "$here/60-stadtsinn.rules" /etc/udev/rules.d/60-stadtsinn.rules
install -D -m 644 "$here/stadtsinn.service" /etc/systemd/system/stadtsinn.service
systemd-sysusers /usr/lib/sysusers.d/stadtsinn.conf
if [ -d /run/udev ]; then
    udevadm control --reload
    udevadm trigger --subsystem-match=i2c-dev --subsystem-match=gpio
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

install -d -m 755 /etc/stadtsinn
if [ ! -f /etc/stadtsinn/node.toml ]; then
    install -m 644 "$profile" /etc/stadtsinn/node.toml
elif [ $# -gt 0 ] && ! cmp -s "$profile" /etc/stadtsinn/node.toml; then
    echo "keeping /etc/stadtsinn/node.toml; to replace it:  sudo cp $profile /etc/stadtsinn/node.toml"
fi

# what this profile needs besides: numpy on a bridge, pins for a modem's reset wire; if it is wrong,
# the check below says so
extras=$(/opt/stadtsinn/bin/stadtsinn check --extras /etc/stadtsinn/node.toml 2>/dev/null) || extras=""
case ",$extras," in
*,pi,*)
    extras=$(echo ",$extras," | sed 's/,pi,/,/; s/^,//; s/,$//')
    # Debian's own package: from PyPI it is built here, which takes a compiler and swig
    "$here/../.ci/packages" python3-rpi-lgpio='test -d /usr/lib/python3/dist-packages/RPi' || true
    if [ -d /usr/lib/python3/dist-packages/RPi ]; then
        sed -i 's/^include-system-site-packages.*/include-system-site-packages = true/' /opt/stadtsinn/pyvenv.cfg
    elif ! /opt/stadtsinn/bin/pip install --quiet --disable-pip-version-check --prefer-binary "stadtsinn[pi]"; then
        echo "no library for GPIO pins here: the reset wire stays unused, all else works" >&2
    fi ;;
esac
[ -z "$extras" ] || /opt/stadtsinn/bin/pip install --quiet --disable-pip-version-check "stadtsinn[$extras]"
/opt/stadtsinn/bin/stadtsinn check /etc/stadtsinn/node.toml
if [ -d /run/systemd/system ]; then systemctl try-restart stadtsinn; fi  # an update
cat <<'END'

Installed. Now:
  sudo nano /etc/stadtsinn/node.toml         your sensors, your broker
  stadtsinn check                            is the profile right?
  sudo -u stadtsinn stadtsinn probe          does every sensor read, does every link go out?
  sudo systemctl enable --now stadtsinn      start, now and at every boot
  stadtsinn status                           how it does
END
