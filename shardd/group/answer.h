/*
 * What is said back to a neighbour that asked: DONE, a sentence that says why not, or
 * what an application answers to a gossip, when it likes to.
 */
#ifndef SHARDD_ANSWER_H
#define SHARDD_ANSWER_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"
#include "proto/gossip.h"

struct kennel_answer;
struct link;

/* DONE, if anybody waits for it (ask is not 0).  An answer stands behind what our
 * replica (0: none) has said before. */
void	 answer_done(struct link *l, uint64_t replica, uint64_t ask);
void	 answer_error(struct link *l, uint64_t replica, uint64_t ask,
	    const char *text);
/* m is an ANSWER, or DONE. */
void	 answer_say(struct link *l, const struct gossip *m);
/* m is for a replica that is not here: answer, so that nobody waits. */
void	 answer_absent(struct link *l, const struct gossip *m);

/* An answer that replica owes, among those in `all`.  NULL with errno ENOMEM. */
struct kennel_answer *answer_new(struct list *all, struct link *l,
	    uint64_t replica, uint64_t ask);
/* Send and free a.  The link may have ended since. */
void	 answer_send(struct kennel_answer *a, struct slice data, int is_error);
/* The replica ends: whoever waits for one of these hears "gone". */
void	 answers_end(struct list *all);

#endif
