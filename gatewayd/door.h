/*
 * The door is control.sock: who connects is asked who it is.  What comes on a
 * shard's channel is passed on, and so is what kennelctl asks; others are dropped.
 */
#ifndef GATEWAYD_DOOR_H
#define GATEWAYD_DOOR_H

#include <stddef.h>
#include <sys/types.h>

struct buf;
struct control;
struct control_door;
struct ctl;
struct event_base;
struct shard;

struct door_ops {
	/* A first message is HELLO, with *page, which may be taken (-1 is left
	 * there), or without (NULL): the shard whose channel it is, or NULL: drop
	 * it. */
	struct shard *(*hello)(struct control *c, const struct ctl *m,
		    int *page, pid_t peer, void *arg);
	/* What a shard says then: 0, or -1: drop the channel. */
	int	(*message)(struct shard *s, const struct ctl *m, int *fds,
		    size_t nfds, int cut, void *arg);
	/* The end of each of its packets; more was sent to it after its channel had
	 * been stuck; the end of its channel. */
	void	(*packet)(struct shard *s, void *arg);
	void	(*sent)(struct shard *s, void *arg);
	void	(*end)(struct shard *s, const char *why, void *arg);
	/* Somebody else asks, STATUS_ASK, FORGET or ACT, and is answered on c: 0, or -1:
	 * drop c. */
	int	(*ask)(struct control *c, const struct ctl *m, void *arg);
	/* c has ended, whoever it was. */
	void	(*gone)(struct control *c, void *arg);
};

/* Listens on <run dir>/control.sock, or goes on with it.  NULL with errno. */
struct control_door *door_new(struct event_base *base, const char *run_dir,
	    const struct door_ops *ops, void *arg);
void	 door_free(struct control_door *d);	/* and all channels */
/* Who connects waits for the program that is executed in our place (heritage.h). */
void	 door_leave_to(const struct control_door *d, struct buf *will);

#endif
