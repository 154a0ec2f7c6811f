/* kennel.h: topics. */
#include <errno.h>

#include "shardd/api/api.h"
#include "shardd/api/socket.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/group/group.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/session/verbs.h"

static struct buf	 api_names;	/* for the next one's topics */

int
kennel_publish(struct kennel_socket *s, const char *const *topics,
    const char *data, size_t len, int flags, kennel_done_cb *done, void *arg)
{
	struct verb	 v = { .kind = VERB_PUBLISH, .flags = flags,
			    .done = done, .arg = arg };
	struct buf	 names;
	int		 r = -1;

	if (s == NULL || topics == NULL) {
		errno = s == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	names = buf_take(&api_names);
	if (topics_pack(&names, topics) == 0) {
		v.uid = slice_of(names.data, names.len);
		r = api_call(s, &v, data, len);
	}
	buf_give(&api_names, &names);
	return (r);
}

/* Is there a socket, and a name?  Else errno says which is missing. */
static int
api_may_subscribe(const struct kennel_socket *s, const char *topic)
{
	if (s != NULL && conn_of(s)->state == CONN_MOVING) {
		errno = EAGAIN;		/* the other process knows them already */
		return (0);
	}
	errno = s == NULL ? ENOTCONN : EINVAL;
	return (s != NULL && topic != NULL);
}

int
kennel_subscribe(struct kennel_socket *s, const char *topic)
{
	if (!api_may_subscribe(s, topic))
		return (-1);
	return (topics_join(conn_of(s), topic));
}

int
kennel_unsubscribe(struct kennel_socket *s, const char *topic)
{
	if (!api_may_subscribe(s, topic))
		return (-1);
	return (topics_leave(conn_of(s), topic));
}

const char *
kennel_topic(const struct kennel_socket *s, size_t i)
{
	return (s == NULL ? NULL : topics_at(conn_of(s), i));
}

int
kennel_replica_publish(struct kennel_replica *r, const char *const *topics,
    const char *data, size_t len, int flags)
{
	struct buf	 names;
	struct payload	*p = NULL;

	if (r == NULL || topics == NULL) {
		errno = r == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	names = buf_take(&api_names);
	if (topics_pack(&names, topics) == 0 &&
	    (p = api_payload(data, len, flags)) != NULL) {
		topics_emit(replica_of(r), slice_of(names.data, names.len), p,
		    (struct slice){ NULL, 0 });
		group_emitted(replica_of(r), slice_of(names.data, names.len), p,
		    (struct slice){ NULL, 0 });
		payload_unref(p);
	}
	buf_give(&api_names, &names);
	return (p == NULL ? -1 : 0);
}
