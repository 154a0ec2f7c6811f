/* A connection's place in its group: in its replica, and in the lookup. */
#include "shardd/group/lookup.h"
#include "shardd/group/replica.h"
#include "shardd/session/member.h"
#include "shardd/session/sessions.h"

void
member_join(struct conn *c)
{
	c->flags &= (uint16_t)~CONN_F_JOINING;
	if (c->replica == NULL || (c->flags & (CONN_F_DOOMED | CONN_F_GONE)))
		return;
	if (replica_join(c->replica, c) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else
		c->flags |= CONN_F_MEMBER;
}

enum leave_answer
member_leave(struct conn *c, struct leave *w)
{
	c->flags &= (uint16_t)~CONN_F_JOINING;
	if (c->flags & CONN_F_MEMBER) {
		c->flags &= (uint16_t)~CONN_F_MEMBER;
		replica_leave(c->replica, c);
		c->by_uid.mine = 0;
	}
	if ((c->flags & CONN_F_LISTED) == 0)
		return (LEAVE_ALONE);
	c->flags &= (uint16_t)~CONN_F_LISTED;
	return (lookup_leave(sessions_of(c)->lookup, replica_group(c->replica),
	    conn_uid(c), w));
}
