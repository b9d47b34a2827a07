"""From row to acknowledgement: uplink, links, downlink commands, airtime."""
