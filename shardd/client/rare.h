/* What few connections have, beside what all have: made when it is needed. */
#ifndef SHARDD_RARE_H
#define SHARDD_RARE_H

#include <stdint.h>

#include "common/bytes.h"

struct move;

/* For pace.c: where c's machine stood when it was looked at. */
struct rare_pace {
	uint32_t	 taken;		/* bytes, from wherever */
	uint32_t	 end;		/* when taken is that, it was owed nothing more */
	uint32_t	 at;		/* conn_tick() */
	uint32_t	 set;		/* or there is none of this */
};

struct rare {
	char		*reason;	/* the client's words at its end, or NULL */
	size_t		 reason_len;
	char		*uid;		/* instead of the one that it came with */
	size_t		 uid_len;
	void		(*drop)(void *data);	/* if it is never opened, or NULL */
	struct rare_pace pace;
	struct move	*move;		/* it is to go to another shard, or NULL */
};

/* *r may be NULL, and is made then.  0, or -1 with errno ENOMEM. */
int	 rare_set_uid(struct rare **r, struct slice uid);
int	 rare_set_reason(struct rare **r, struct slice reason);
int	 rare_set_move(struct rare **r, struct move *move);
int	 rare_set_pace(struct rare **r, const struct rare_pace *pace);
void	 rare_end_move(struct rare **r);	/* of one that has a move */
/* What is at *data is dropped, and is now `now`, which drop, or NULL, frees if the
 * connection is never opened. */
int	 rare_give(struct rare **r, void **data, void *now,
	    void (*drop)(void *data));
/* It was opened, and has the data; or it never will, and the data is dropped. */
void	 rare_keep(struct rare *r);
void	 rare_drop(struct rare *r, void **data);
void	 rare_free(struct rare *r);	/* drops nothing */

#endif
