/*
 * A shard is one process that serves connections, in one slot of this node: found
 * or started, then ready, hung, leaving, dead; started again with back-off.
 *
 * A shard is dead when two things have happened, in either order: its process is
 * gone, and its channel has been read to the end.  Only then is its slot free.
 */
#ifndef GATEWAYD_SHARD_H
#define GATEWAYD_SHARD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/backoff.h"
#include "common/list.h"
#include "common/map.h"
#include "gatewayd/generation.h"
#include "gatewayd/pulse.h"
#include "proto/close_why.h"
#include "proto/control.h"
#include "proto/limits.h"

#define SHARD_START_MS		10000	/* from fork to READY */
#define SHARD_ACCUSED_MS	1000	/* its PONG, when a link to it is lost */
#define SHARD_LEAVE_MS		2000	/* beyond the drain's deadline */

struct control;
struct event;
struct event_base;
struct placement;
struct settings;
struct shard;
struct site;
struct sock_fprog;

enum shard_state {
	SHARD_EMPTY,		/* nobody in this slot */
	SHARD_STARTING,		/* forked, no READY yet: places may be taken */
	SHARD_READY,
	SHARD_SILENT,		/* its channel ended and the process lives: it may
				   say hello again */
	SHARD_LEAVING,		/* told to drain: takes nobody any more */
	SHARD_WAITING		/* died; starts again when its back-off is over */
};
/* As people read it: static. */
const char *shard_state_name(enum shard_state s);

struct shard {			/* one slot */
	struct shards	*all;
	uint32_t	 slot;
	enum shard_state state;
	uint64_t	 incarnation;
	unsigned	 version;	/* of messages, that both speak */
	unsigned	 capsule;	/* the highest version that it reads */
	struct shard_app *apps;		/* that can move, as it says */
	size_t		 napps;
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
	int		 kept;		/* one of those that are always to run */
	int		 retires;	/* another one has its connections: upgrade.h */
	uint64_t	 errors;	/* connections that ended with one */
	int		 vacant;	/* the operator keeps it empty */
	struct generation *generation;	/* what it runs; NULL: none yet */
	int		 hello;		/* on this channel, until HELD */
	int		 hopeless;	/* killed; nothing it says counts */
	int		 exited;	/* the process; its channel may have more */
	int		 heard;		/* dead: 1: it, or others, have said where those of
					   its connections are that were to move; -1:
					   somebody could not, perhaps while it lived */
	char		 ended[32];	/* how: "signal=9" */
	struct pulse	 pulse;		/* of this incarnation */
	int		 asked;		/* ADOPT was sent since the last PING */
	struct backoff	 backoff;
	struct event	*timer, *pid_event;
	struct list	 handoffs;	/* capsules on their way or waiting */
	struct list	 rescues;	/* rescue.h: to be sent, */
	struct list	 rescued;	/* and sent, not answered yet: */
	size_t		 rescuing;	/* so many */
	struct map	 has;		/* replicas it told of, until READY */
	struct list	 owed;		/* order.h: of replicas it may still have */
};

struct shard_app {
	char		 name[APP_MAX + 1];	/* "": all of its routes' */
	unsigned	 blob;		/* version of what it packs */
};

struct shard_ops {
	/* The state of a shard is another one now. */
	void	(*moved)(void *arg);
	/* The back-off of a slot that is WAITING is over. */
	void	(*due)(struct shard *s, void *arg);
	/* The process is gone and its channel has ended. */
	void	(*dead)(struct shard *s, void *arg);
};

struct shards {			/* the slots of this node */
	struct event_base *base;
	const struct settings *settings;
	struct placement *placement;
	const struct sock_fprog *filter;	/* for the workers; NULL: none */
	const struct shard_ops *ops;
	void		*arg;
	struct generations generations;
	int		 leaving;	/* 1: all are told to leave, 2: killed */
	size_t		 nslots;	/* used at some time */
	struct shard	 slots[SLOTS_MAX];
};

/* all is zeroed; the rest is borrowed.  0, or -1 with errno; then, too, it can be
 * cleared. */
int	 shards_init(struct shards *all, struct event_base *base,
	    const struct settings *settings, struct placement *placement,
	    const struct sock_fprog *filter, const struct shard_ops *ops,
	    void *arg);
void	 shards_clear(struct shards *all);
/* Is a shard of this incarnation alive, or may it be? */
int	 shards_know(const struct shards *all, uint64_t incarnation);
/*
 * Sockets of links whose shards are gone, "link-<slot>-<incarnation>.sock": those
 * who died while there was no gateway, too, and the others are told now.
 */
void	 shards_clean(struct shards *all);

/* Does any shard live in this run directory? */
int	 shards_live(const char *run_dir);
/* Is somebody in this slot already?  Then the slot waits for the hello: 1, else 0. */
int	 shard_find(struct shard *s);
/* Start a process in an empty slot, or find one there.  0, or -1: it did not start,
 * which is logged, and the slot is as it was. */
int	 shard_start(struct shard *s);
void	 shard_kill(struct shard *s, const char *why);
/* Of one that is dead: what is left of it but its site goes; the slot is free. */
void	 shard_bury(struct shard *s);
/* Of an empty slot: whoever is to be in it may be of another generation. */
void	 shard_vacate(struct shard *s);
void	 shard_unlink_lock(const struct shard *s);

void	 shard_move(struct shard *s, enum shard_state state);
/* A shard leaves: it keeps those it has until then, and decides for them.  After ms
 * and SHARD_LEAVE_MS it is killed. */
void	 shard_leave(struct shard *s, unsigned ms);
/* It has crashed again: is its worker one at all?  Said once, after the third try. */
void	 shard_doubt(const struct shard *s);
void	 shard_wait(struct shard *s);	/* until its back-off is over */

/* Does a shard serve clients whom others are to be told of? */
int	 shard_serves(const struct shard *s);
/* May a shard be sent more than what its hello is answered with? */
int	 shard_open(const struct shard *s);
/* Of one that has ended: had it been told to leave, and did it? */
int	 shard_ended_well(const struct shard *s);

/* A message to a shard; dropped if it has no channel.  0 or -1 with errno. */
int	 shard_tell(struct shard *s, const struct ctl *m, const int *fds);
void	 shard_ping(struct shard *s);
/* Tell a shard to leave; its clients read why. */
void	 shard_drain(struct shard *s, unsigned deadline_ms, enum close_why why);

/* A shard says that an application of its can move: 0, or -1 (no memory, too many). */
int	 shard_note_app(struct shard *s, struct slice name, unsigned blob);
/* The version of what an application packs; 0: it cannot move. */
unsigned shard_blob(const struct shard *s, const char *app);
/* A shard says that it has a replica: 0, or -1 (no memory). */
int	 shard_note(struct shard *s, uint64_t replica);
int	 shard_noted(const struct shard *s, uint64_t replica);
/* Has a shard heard of this replica of its own? */
int	 shard_has(const struct shard *s, uint64_t replica);
void	 shard_forget(struct shard *s);		/* what was noted */

#endif
