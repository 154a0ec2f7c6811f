/*
 * Elsewhere is where a uid has connections on other nodes, for kennelctl who: the table in
 * Redis is walked, in steps, for its key in any group.
 */
#ifndef GATEWAYD_ELSEWHERE_H
#define GATEWAYD_ELSEWHERE_H

struct control;
struct ctl;
struct elsewheres;
struct json_t;
struct redis;
struct settings;

/* settings are borrowed.  NULL with errno. */
struct elsewheres *elsewheres_new(const struct settings *settings);
void	 elsewheres_free(struct elsewheres *es);	/* after redis_free() */
/*
 * answer, which is taken, goes to c with a list "elsewhere" more, when Redis has said all:
 * node, shard, slot, group and connections; "elsewhere_missing" is true if it has not.
 * 0, or -1: drop c.
 */
int	 elsewhere_begin(struct elsewheres *es, struct control *c,
	    const struct ctl *ask, struct json_t *answer, struct redis *redis);
/* c has ended: nobody is to be told. */
void	 elsewhere_cancel(struct elsewheres *es, const struct control *c);

#endif
