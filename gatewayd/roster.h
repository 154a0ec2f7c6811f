/*
 * All shards of this node, ours or found: started, hello, ready, hung, dead;
 * restarts with back-off; new ones on demand; introductions.
 */
#ifndef GATEWAYD_ROSTER_H
#define GATEWAYD_ROSTER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/backoff.h"
#include "common/list.h"
#include "common/map.h"
#include "gatewayd/pulse.h"
#include "proto/control.h"
#include "proto/limits.h"

struct control;
struct event;
struct gateway;
struct replica;
struct site;

enum shard_state {
	SHARD_EMPTY,		/* nobody in this slot */
	SHARD_STARTING,		/* forked, no READY yet: places may be taken */
	SHARD_READY,
	SHARD_SILENT,		/* its channel ended and the process lives: it may
				   say hello again */
	SHARD_LEAVING,		/* told to drain: takes nobody any more */
	SHARD_WAITING		/* died; starts again when its back-off is over */
};
const char *shard_state_name(enum shard_state s);

struct shard {			/* one slot */
	struct gateway	*gateway;
	uint32_t	 slot;
	enum shard_state state;
	uint64_t	 incarnation;
	pid_t		 pid;
	int		 pidfd;		/* -1 */
	int		 ours;		/* our child */
	char		 address[ADDRESS_MAX];
	char		*link_path;
	struct control	*control;	/* NULL */
	struct site	*site;		/* NULL when EMPTY or WAITING */
	uint64_t	 started;	/* ms since 1970 */
	uint64_t	 since;		/* clock_ms: forked or found */
	unsigned	 restarts, crashes_in_row;
	uint64_t	 idle_since, taken;	/* clock_ms; places until then */
	int		 served;	/* READY since then */
	int		 hello;		/* on this channel, until HELD */
	int		 hopeless;	/* killed; nothing it says counts */
	int		 exited;	/* the process; its channel may have more */
	char		 ended[32];	/* how: "signal=9" */
	struct pulse	 pulse;		/* of this incarnation */
	int		 asked;		/* ADOPT was sent since the last PING */
	struct backoff	 backoff;
	struct event	*timer, *pid_event;
	struct list	 handoffs;	/* capsules on their way or waiting */
	struct map	 has;		/* replicas it told of, until READY */
	struct list	 owed;		/* orders of replicas it may still have */
};

struct roster;

/* First finds shards that an earlier gateway left (locks in the run dir), waits
 * for their hello, then starts what is missing up to settings->shards.  ready_cb
 * is called once, when every slot is READY or has failed (10 s at most), or is
 * silent: who is found and says nothing for 2 s is not waited for, but has the
 * watchdog's time.  NULL with errno. */
struct roster *roster_new(struct gateway *g, void (*ready_cb)(struct gateway *));
void	 roster_free(struct roster *r);
/*
 * A shard's first message on a fresh control connection was HELLO, with *page, which
 * is taken (-1 is left there), or without (NULL).  The shard whose
 * channel it is now, or NULL: not one of ours, drop it.  The door passes on what
 * comes by it: messages (0, or -1: drop the channel), the end of each packet, that
 * more was sent after it had been stuck, and its end.
 */
struct shard *roster_hello(struct roster *r, struct control *c,
	    const struct ctl *m, int *page, pid_t peer);
int	 roster_message(struct shard *s, const struct ctl *m, int *fds,
	    size_t nfds, int cut);
void	 roster_packet(struct shard *s);
void	 roster_sent(struct shard *s);
void	 roster_channel_end(struct shard *s, const char *why);
/* Start one more, if none is starting, max_shards allows it (who leaves does not
 * count) and the last such one did not crash just now: 0 (one is starting now or
 * was already), or -1 with errno ENOSPC. */
int	 roster_grow(struct roster *r);
/* How many take newcomers, or soon will. */
size_t	 roster_serving(const struct roster *r);
/* May the placement wait for a shard that is starting, or will be soon? */
int	 roster_starting(const struct roster *r);
/* Is a shard of this incarnation alive, or may it be? */
int	 roster_knows(const struct roster *r, uint64_t incarnation);
/* It has not answered for a while: nobody is to wait for it until it does. */
void	 roster_suspect(struct shard *s);
/* A message to a shard; dropped if it has no channel.  0 or -1 with errno. */
/* What has changed with the configuration, to all shards. */
void	 roster_tell_options(struct roster *r);
int	 roster_tell(struct shard *s, const struct ctl *m, const int *fds);
size_t	 roster_nslots(const struct roster *r);
struct shard *roster_slot(struct roster *r, size_t i);
/* Placement's news: REPLICA and NEIGHBOURs, FAREWELLs and DISMISS go out. */
void	 roster_replica_made(struct replica *rep, void *gateway);
void	 roster_replica_ended(struct replica *rep, void *gateway);
/* Drain all shards and wait; done_cb when the last has left or the deadline has
 * passed (then they are killed first). */
void	 roster_leave(struct roster *r, unsigned deadline_ms,
	    void (*done_cb)(void *));
void	 roster_kill(struct roster *r);	/* at once, SIGKILL */

#endif
