/*
 * An accepted socket until it has an owner: read the head within a deadline,
 * route, place; or refuse.  Also connections that came home to wait for their
 * next request (a limit of their own, 15 s, oldest closed first).
 */
#ifndef GATEWAYD_ARRIVAL_H
#define GATEWAYD_ARRIVAL_H

#include <sys/socket.h>

#include "common/bytes.h"
#include "proto/capsule.h"

struct arrivals;
struct gateway;

struct arrivals *arrivals_new(struct gateway *g);
/* Handshakes in progress are refused (503), idle ones at home closed. */
void	 arrivals_free(struct arrivals *a);
/* listener's callbacks: arg is the gateway. */
void	 arrival_accept_cb(int fd, const struct sockaddr *peer, socklen_t len,
	    void *gateway);
void	 arrival_refuse_cb(int fd, void *gateway);
/* c: early bytes, peer, flags; fd is taken. */
void	 arrival_home(struct gateway *g, const struct capsule *c, int fd);
/*
 * Write an error response, then SHUT_WR and discard for at most 1 s or 64 KiB,
 * so that the client reads the answer; fd is taken.  Never blocks.
 */
void	 arrival_refuse(struct gateway *g, int fd, int status, const char *why,
	    unsigned retry_after_s, int head_only);
size_t	 arrivals_count(const struct arrivals *a);	/* handshakes */
size_t	 arrivals_home(const struct arrivals *a);	/* waiting at home */

#endif
