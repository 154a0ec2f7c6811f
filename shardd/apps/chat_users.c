/*
 * The users of a chat room: each replica knows its own, and asks the others by gossip.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shardd/apps/chat_event.h"
#include "shardd/apps/chat_users.h"

#define CHAT_PART	(64 << 10)	/* bytes of names that a replica lists */
#define CHAT_LIST	(128 << 10)	/* and of all of them */

/* The replica's data: uid -> number of its sockets here. */
int
chat_users_start(struct kennel_replica *r)
{
	json_t	*users = json_object();

	kennel_replica_set_data(r, users);
	return (users == NULL ? -1 : 0);
}

void
chat_users_stop(struct kennel_replica *r)
{
	json_decref(kennel_replica_data(r));
}

void
chat_users_count(struct kennel_socket *s, int step)
{
	json_t		*users;
	json_int_t	 n;
	size_t		 len;
	const char	*uid = kennel_socket_uid(s, &len);

	users = kennel_replica_data(kennel_socket_replica(s));
	n = json_integer_value(json_object_getn(users, uid, len)) + step;
	if (n > 0)
		json_object_setn_new(users, uid, len, json_integer(n));
	else
		json_object_deln(users, uid, len);
}

/*
 * {"shard":address,"names":["name", ...],"more":n} of those here: those who came
 * first, as many as fit, and how many others there are.  NULL without memory.
 */
static json_t *
chat_part(struct kennel_replica *r)
{
	json_t		*names = json_array(), *users, *n;
	const char	*key;
	size_t		 len, bytes = 0, told = 0;

	users = kennel_replica_data(r);
	json_object_keylen_foreach(users, key, len, n) {
		if ((bytes += len) > CHAT_PART)
			break;
		json_array_append_new(names, chat_string(key, len));
		told++;
	}
	return (json_pack("{s:s, s:o, s:I}", "shard", kennel_address(), "names",
	    names, "more", (json_int_t)(json_object_size(users) - told)));
}

void
chat_users_gossip(struct kennel_replica *r, struct kennel_answer *a,
    const char *msg, size_t msg_len)
{
	char	*text;
	size_t	 len;

	(void)msg, (void)msg_len;	/* there is one question only */
	if ((text = chat_dump(chat_part(r), &len)) == NULL)
		kennel_answer_error(a, "out of memory");
	else
		kennel_answer(a, text, len);
	free(text);
}

struct chat_list {
	json_t		*list;		/* distinct names */
	json_t		*where;		/* name -> its shards' addresses */
	json_int_t	 more;		/* that did not fit */
	size_t		 bytes;		/* of names */
};

/* Add a replica's part. */
static void
chat_merge(struct chat_list *l, const json_t *part)
{
	json_t		*shard = json_object_get(part, "shard"), *name, *at;
	size_t		 i, len;
	const char	*s;

	l->more += json_integer_value(json_object_get(part, "more"));
	json_array_foreach(json_object_get(part, "names"), i, name) {
		if ((s = json_string_value(name)) == NULL)
			continue;
		len = json_string_length(name);
		if ((at = json_object_getn(l->where, s, len)) == NULL) {
			if (l->bytes + len > CHAT_LIST) {
				l->more++;
				continue;
			}
			l->bytes += len;
			json_array_append(l->list, name);
			at = json_array();
			json_object_setn_new(l->where, s, len, at);
		}
		json_array_append(at, shard);
	}
}

char *
chat_users_list(struct kennel_replica *r, const struct kennel_slot *slots,
    size_t n, size_t *len)
{
	struct chat_list	 l = { .list = json_array(),
				    .where = json_object() };
	json_t			*part, *o;

	for (size_t i = 0; i < n; i++) {
		if (slots[i].data == NULL)
			continue;
		part = json_loadb(slots[i].data, slots[i].len, JSON_ALLOW_NUL,
		    NULL);
		chat_merge(&l, part);
		json_decref(part);
	}
	if (r != NULL) {
		part = chat_part(r);
		chat_merge(&l, part);
		json_decref(part);
	}
	o = json_pack("{s:s, s:o, s:o, s:I}", "type", "user:list", "list",
	    l.list, "shards", l.where, "time", (json_int_t)kennel_time());
	if (l.more > 0)
		json_object_set_new(o, "more", json_integer(l.more));
	return (chat_dump(o, len));
}

int
chat_users_here(struct kennel_replica *r, const char *uid, size_t len)
{
	return (json_object_getn(kennel_replica_data(r), uid, len) != NULL);
}
