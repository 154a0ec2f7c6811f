/*
 * A leave is one connection's way out of the table in Redis: the script that removes the
 * entry of its uid says whether that was the last one, in the whole group, over nodes.
 */
#ifndef SHARDD_LEAVE_H
#define SHARDD_LEAVE_H

struct redis_value;

enum leave_answer {
	LEAVE_OTHERS,		/* somebody of this uid is left */
	LEAVE_LAST,
	LEAVE_UNKNOWN,		/* Redis is away, or has forgotten */
	LEAVE_ALONE,		/* there are no other nodes: the gateway knows */
	LEAVE_ASKED		/* said() comes */
};

/* Embedded in what waits. */
struct leave {
	struct leave	**home;		/* that points here; NULL: nothing does */
	/* Once, not from within what began it: OTHERS, LAST, or UNKNOWN. */
	void		(*said)(struct leave *w, enum leave_answer answer);
};

/* w waits at home; who waited there was not the last. */
void	 leave_wait(struct leave **home, struct leave *w);
/* Whoever waits at home hears that. */
void	 leave_say(struct leave **home, enum leave_answer answer);
void	 leave_cancel(struct leave *w);

/* Takes KEYS[1], a uid's entries, from KEYS[2], what the shard ARGV[1] has listed. */
extern const char leave_script[];
/* What it has answered. */
enum leave_answer leave_read(const struct redis_value *v);

#endif
