# A machine with systemd, where the packages are tried: all that they depend on is
# there, so that no test needs the network.
FROM debian:bookworm-slim
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	--no-install-recommends systemd systemd-sysv dbus adduser procps \
	gcc libc6-dev pkg-config redis-server libevent-core-2.1-7 \
	libhiredis0.14 libjansson4 libseccomp2 libcap-ng0 libssl3 \
	liburing2 libpq5 zlib1g >/dev/null && \
    systemctl mask redis-server.service systemd-resolved.service \
	getty.target console-getty.service && \
    rm -rf /var/lib/apt/lists/*
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
