/* A connection's place in its group: in its replica, in the lookup, and where another
 * process would find it. */
#include "proto/cover.h"
#include "shardd/client/shelter.h"
#include "shardd/group/lookup.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
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

void
member_cover(struct conn *c, struct slice topics)
{
	struct replica	*r = c->replica;
	uint32_t	*place;

	if (r != NULL) {
		place = &r->place;
		if (*place == 0)
			*place = cover_place(slice_str(r->app_name),
			    replica_group(r));
	} else {
		place = applications_place(&sessions_of(c)->apps, c->app);
		if (*place == 0)
			*place = cover_place(slice_str(c->app->name == NULL ?
			    "main" : c->app->name), slice_of(NULL, 0));
	}
	shelter_begin(c, *place, topics);
}
