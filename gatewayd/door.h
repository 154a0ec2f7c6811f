/*
 * control.sock: who connects is asked who it is.  A shard's channel is passed on to
 * the roster, kennelctl gets its answer, others are dropped.
 */
#ifndef GATEWAYD_DOOR_H
#define GATEWAYD_DOOR_H

struct control_door;
struct gateway;

/* Listens on <run dir>/control.sock.  NULL with errno. */
struct control_door *door_new(struct gateway *g);
void	 door_free(struct control_door *d);	/* and all channels */

#endif
