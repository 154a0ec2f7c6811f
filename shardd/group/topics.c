/* Topics: named sets of sockets of a group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "shardd/client/conn.h"
#include "shardd/client/shelter.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"

struct topic {
	struct map_node	 by_name;	/* replica->topics */
	struct list	 members;	/* struct subscription */
	char		 name[];
};

struct subscription {
	struct list	 at_topic, at_conn;
	struct topic	*topic;
	struct conn	*conn;
};

struct conn_topics {
	struct list	 all;		/* struct subscription */
	uint64_t	 heard;		/* the last publication that reached it */
};

/* The topic of that name; NULL: nobody has joined one. */
static struct topic *
topic_find(const struct replica *r, const char *name)
{
	struct map_node	*n = map_find(&r->topics, name, strlen(name));

	return (n == NULL ? NULL : container_of(n, struct topic, by_name));
}

/* The same, made if there is none.  NULL without memory. */
static struct topic *
topic_get(struct replica *r, const char *name)
{
	struct topic	*t = topic_find(r, name);
	size_t		 n = strlen(name);

	if (t != NULL)
		return (t);
	if ((t = malloc(sizeof(*t) + n + 1)) == NULL)
		return (NULL);
	memcpy(t->name, name, n + 1);
	list_init(&t->members);
	if (map_insert(&r->topics, &t->by_name, t->name, n) == 0)
		return (t);
	free(t);
	return (NULL);
}

/* A topic without members is none. */
static void
topic_drop(struct replica *r, struct topic *t)
{
	if (!list_empty(&t->members))
		return;
	map_remove(&r->topics, &t->by_name);
	free(t);
}

/* c's subscription to that topic, or NULL. */
static struct subscription *
subscription_find(const struct conn *c, const char *name)
{
	struct list		*e, *tmp;
	struct subscription	*s;

	if (c->topics == NULL)
		return (NULL);
	list_each(e, tmp, &c->topics->all) {
		s = list_entry(e, struct subscription, at_conn);
		if (strcmp(s->topic->name, name) == 0)
			return (s);
	}
	return (NULL);
}

/* One member of a topic less. */
static void
subscription_end(struct subscription *s)
{
	struct conn	*c = s->conn;
	struct topic	*t = s->topic;

	list_remove(&s->at_topic);
	list_remove(&s->at_conn);
	free(s);
	topic_drop(c->replica, t);
	if (list_empty(&c->topics->all)) {
		free(c->topics);
		c->topics = NULL;
	}
}

/* Its topics are others now: if c is covered, that is known, too. */
static void
topics_shelter(struct conn *c)
{
	static struct buf	 names;

	if (c->slot == 0)
		return;
	buf_reset(&names);
	topics_of(c, &names);
	if (names.failed)
		conn_uncover(c);
	else
		shelter_topics(c, slice_of(names.data, names.len));
	if (names.cap > BUF_KEEP || names.failed)
		buf_clear(&names);
}

int
topics_join(struct conn *c, const char *name)
{
	struct subscription	*s;
	struct topic		*t;

	if (c->replica == NULL || c->state != CONN_OPEN ||
	    (c->flags & CONN_F_GONE)) {
		errno = ENOTCONN;
		return (-1);
	}
	if (*name == '\0' || strlen(name) > TOPIC_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (subscription_find(c, name) != NULL) {
		errno = EEXIST;
		return (-1);
	}
	if ((t = topic_get(c->replica, name)) == NULL)
		return (-1);
	if ((s = malloc(sizeof(*s))) == NULL)
		goto fail;
	if (c->topics == NULL) {
		if ((c->topics = calloc(1, sizeof(*c->topics))) == NULL) {
			free(s);
			goto fail;
		}
		list_init(&c->topics->all);
	}
	s->topic = t;
	s->conn = c;
	list_push(&t->members, &s->at_topic);
	list_push(&c->topics->all, &s->at_conn);
	topics_shelter(c);
	return (0);
fail:
	topic_drop(c->replica, t);
	errno = ENOMEM;
	return (-1);
}

int
topics_leave(struct conn *c, const char *name)
{
	struct subscription	*s = subscription_find(c, name);

	if (s == NULL) {
		errno = ENOENT;
		return (-1);
	}
	subscription_end(s);
	topics_shelter(c);
	return (0);
}

void
topics_leave_all(struct conn *c)
{
	while (c->topics != NULL)
		subscription_end(list_entry(c->topics->all.next,
		    struct subscription, at_conn));
}

const char *
topics_at(const struct conn *c, size_t i)
{
	struct list	*e, *tmp;

	if (c->topics == NULL)
		return (NULL);
	list_each(e, tmp, &c->topics->all)
		if (i-- == 0)
			return (list_entry(e, struct subscription,
			    at_conn)->topic->name);
	return (NULL);
}

int
topics_has_any(const struct conn *c, struct slice topics)
{
	const char	*end = topics.data + topics.len, *stop;

	for (const char *name = topics.data; name < end; name = stop + 1) {
		if ((stop = memchr(name, '\0', (size_t)(end - name))) == NULL)
			break;
		if (subscription_find(c, name) != NULL)
			return (1);
	}
	return (0);
}

void
topics_of(const struct conn *c, struct buf *dst)
{
	struct list	*e, *tmp;
	const char	*name;

	if (c->topics == NULL)
		return;
	list_each(e, tmp, &c->topics->all) {
		name = list_entry(e, struct subscription, at_conn)->topic->name;
		buf_add(dst, name, strlen(name) + 1);
	}
}

int
topics_pack(struct buf *dst, const char *const *topics)
{
	for (; *topics != NULL; topics++)
		if (**topics == '\0' || strlen(*topics) > TOPIC_MAX ||
		    buf_add(dst, *topics, strlen(*topics) + 1) == -1)
			break;
	if (*topics == NULL && dst->len > 0 && dst->len <= TOPICS_MAX)
		return (0);
	errno = EINVAL;
	return (-1);
}

/*
 * p, or (NULL) word that one did not get here, for each subscriber of the topics
 * but those of that uid.  Returns how many.
 */
static size_t
topics_reach(struct replica *r, struct slice topics, struct payload *p,
    struct slice but)
{
	static uint64_t	 publication;
	const char	*end = topics.data + topics.len, *stop;
	struct topic	*t;
	struct list	*e, *tmp;
	struct conn	*c;
	size_t		 n = 0;

	publication++;
	/* The names come from another process: each must be terminated. */
	for (const char *name = topics.data; name < end; name = stop + 1) {
		if ((stop = memchr(name, '\0', (size_t)(end - name))) == NULL)
			break;
		if ((t = topic_find(r, name)) == NULL)
			continue;
		list_each(e, tmp, &t->members) {
			c = list_entry(e, struct subscription, at_topic)->conn;
			/* A member that departed has topics until onclose. */
			if (c->topics->heard == publication ||
			    (c->flags & CONN_F_GONE) != 0 ||
			    (but.data != NULL && slice_eq(conn_uid(c), but)))
				continue;
			c->topics->heard = publication;
			if (p == NULL)
				conn_doom(c, CLOSE_MISSED);
			else
				conn_send(c, p);
			if (++n == CONN_CROWD)
				conn_crowd(r->clients, 1);
		}
	}
	conn_crowd(r->clients, 0);
	return (n);
}

void
topics_emit(struct replica *r, struct slice topics, struct payload *p,
    struct slice but)
{
	topics_reach(r, topics, p, but);
}

size_t
topics_missed(struct replica *r, struct slice topics, struct slice but)
{
	return (topics_reach(r, topics, NULL, but));
}
