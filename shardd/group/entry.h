/*
 * What one entry is, all of a shard, and how one is written: for entries.c, which decides
 * what is to be written and when.
 */
#ifndef SHARDD_ENTRY_H
#define SHARDD_ENTRY_H

#include "common/list.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "shardd/group/leave.h"
#include "shardd/group/lookup_ops.h"

/* Where the entries are.  All strings are borrowed. */
struct entries_keys {
	const char	*prefix;
	const char	*us;		/* our address */
	const char	*clients;	/* the set of all keys of ours */
};

struct entry {
	struct map_node	 by_key;
	struct list	 at;		/* entries->dirty, or ->confirming */
	struct list	 tickets;	/* that wait for it */
	struct leave	*leave;		/* who left it, to hear whether as the last */
	struct entries	*all;
	char		*key;
	struct slice	 group, uid;	/* into names; data NULL: not of a uid */
	uint32_t	 count;		/* what it should say; 0: nothing */
	uint32_t	 sent;		/* in the last write */
	uint32_t	 listed;	/* what it says for certain, at least */
	uint8_t		 outstanding;	/* commands of its write */
	uint8_t		 bad;		/* the write failed, or counts no more */
	uint8_t		 tried;		/* something may be in Redis */
	uint8_t		 dirty;
	uint8_t		 owed;
	uint8_t		 failed;	/* it could not be written, and was not since */
	uint8_t		 is_group;	/* of a group, not a uid */
	uint8_t		 answer;	/* of its removal: enum leave_answer */
	char		 names[];
};

struct entries {
	struct redis	*redis;		/* NULL: none, by configuration */
	redis_reply_cb	*replied;	/* to a command of a write; arg is the entry */
	struct entries_keys keys;
	const struct lookup_ops *ops;
	void		*arg;
	struct map	 map;		/* struct entry, those not settled */
	struct list	 dirty;		/* struct entry */
	struct list	 confirming;	/* struct entry: they may settle now */
	size_t		 writing;	/* entries */
	size_t		 owing;		/* entries that are owed */
	size_t		 failing;	/* entries that could not be written */
	struct list	 confirmed;	/* tickets to be told */
	struct turn_work confirm;
	int		 asking;	/* "ask me" */
	int		 telling;	/* and not all have answered */
	int		 naming;	/* asked for our keys: nothing settles */
	struct event	*retry;
	int		 retiring;
	int		 empty;		/* emptied was called */
	void		(*emptied)(void *arg);
	void		*emptied_arg;
};

/*
 * Write what e should say: 0, or -1 with errno and nothing written.  The set of
 * our keys names it before it is there, and until after it is gone: who sweeps
 * up behind us finds all.
 */
int	 entry_write(struct entry *e);

#endif
