/* A connection's place in its group: in its replica, and in the lookup. */
#ifndef SHARDD_MEMBER_H
#define SHARDD_MEMBER_H

#include "common/bytes.h"
#include "shardd/group/leave.h"

struct conn;

/* c hears its group from now on, if it has one and is not over. */
void	 member_join(struct conn *c);
/* c is no member any more, nor listed, where it was; as lookup_leave(). */
enum leave_answer member_leave(struct conn *c, struct leave *w);
/* c is open: it is covered from now on, with those topics. */
void	 member_cover(struct conn *c, struct slice topics);

#endif
