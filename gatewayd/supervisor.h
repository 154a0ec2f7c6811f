/*
 * What the supervisor of this process (systemd) is told, in sd_notify(3)'s
 * words: READY, RELOADING, STOPPING, a STATUS line, and a beat for its watchdog,
 * which comes from the event loop and so says that the loop turns.
 */
#ifndef GATEWAYD_SUPERVISOR_H
#define GATEWAYD_SUPERVISOR_H

#include <stddef.h>

struct event_base;
struct supervisor;

/* Write a line about how we are to dst. */
typedef void	supervisor_status(char *dst, size_t size, void *arg);

/* NULL: there is no supervisor ($NOTIFY_SOCKET), or no memory; all functions take
 * that. */
struct supervisor *supervisor_new(struct event_base *base,
	    supervisor_status *status, void *arg);
void	 supervisor_free(struct supervisor *s);
/* Clients are served from now on. */
void	 supervisor_ready(struct supervisor *s);
/* The configuration is being read, and has been, whatever came of it. */
void	 supervisor_reloading(struct supervisor *s);
void	 supervisor_reloaded(struct supervisor *s);
/* We leave, and take so long at most. */
void	 supervisor_stopping(struct supervisor *s, unsigned ms);

#endif
