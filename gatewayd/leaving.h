/* A gateway leaves. */
#ifndef GATEWAYD_LEAVING_H
#define GATEWAYD_LEAVING_H

struct gateway;

/* Say that we leave, and go on for leave_pause; who ticks calls leaving_begin() at
 * g->leave_at. */
void	 leaving_pause(struct gateway *g);
/* Nobody is accepted any more, the shards drain; the loop is stopped at the end. */
void	 leaving_begin(struct gateway *g);
/* The shards have left. */
void	 leaving_left(void *g);
/* Kill what runs, remove what is ours, exit; at once: because it was asked twice. */
void	 leaving_kill(struct gateway *g) __attribute__((noreturn));
void	 leaving_at_once(struct gateway *g) __attribute__((noreturn));

#endif
