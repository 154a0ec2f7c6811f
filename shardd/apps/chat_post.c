/*
 * What a user without WebSocket says in a chat room: its messages come by POST, what
 * it hears goes to its events.  The answer is what only this user is told: a list, or why
 * the message led to nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shardd/apps/chat_event.h"
#include "shardd/apps/chat_post.h"
#include "shardd/apps/chat_say.h"
#include "shardd/apps/chat_users.h"
#include "shardd/apps/js.h"

#define CHAT_POST_MAX	(128 << 10)	/* bytes of a message */

/* A sentence, with its line's end. */
static void
chat_post_refuse(struct kennel_request *q, int status, const char *why)
{
	kennel_respond(q, status, "text/plain", why, strlen(why));
}

/* Everybody has answered: the list. */
static void
chat_post_list_cb(struct kennel_replica *r, const struct kennel_slot *slots,
    size_t n, void *q)
{
	size_t	 len;
	char	*text = chat_users_list(r, slots, n, &len);

	if (text == NULL)
		chat_post_refuse(q, 503, "There is no memory for the list.\n");
	else
		kennel_respond(q, 200, "application/json", text, len);
	free(text);
}

/* q says text. */
static void
chat_post_say(struct kennel_request *q, const json_t *text)
{
	struct chat_speaker	 f = { .r = kennel_request_replica(q) };

	f.uid = kennel_request_uid(q, &f.uid_len);
	if (!json_is_string(text))
		chat_post_refuse(q, 400, "A \"msg\" has a \"text\".\n");
	else if (chat_say(&f, json_string_value(text),
	    json_string_length(text)) == 0)
		kennel_respond(q, 204, NULL, NULL, 0);
	else if (errno == EAGAIN) {
		kennel_header(q, "Retry-After", "1");
		chat_post_refuse(q, 503, "Too much in this room still waits to "
		    "be said: try again.\n");
	} else
		chat_post_refuse(q, 503, "It could not be sent.\n");
}

void
chat_post(struct kennel_request *q)
{
	size_t		 len;
	const char	*body, *uid, *why = NULL;
	json_t		*o, *type, *name;

	uid = kennel_request_uid(q, &len);
	name = chat_string(uid, len);
	body = kennel_request_body(q, &len);
	o = len > CHAT_POST_MAX ? NULL : js_parse(body, len, JS_DEPTH_MAX, &why);
	type = json_object_get(o, "type");
	if (name == NULL)
		chat_post_refuse(q, 400, "name is not UTF-8\n");
	else if (len > CHAT_POST_MAX)
		chat_post_refuse(q, 413, "The message is longer than 128 "
		    "KiB.\n");
	else if (chat_is(type, "msg"))
		chat_post_say(q, json_object_get(o, "text"));
	else if (chat_is(type, "req:user:list")) {
		if (kennel_replica_gossip(kennel_request_replica(q), "{}", 2, 0,
		    chat_post_list_cb, q) == -1)
			chat_post_refuse(q, 503, "Nobody could be asked.\n");
	} else if (chat_is(type, "req:connected"))
		kennel_respond(q, 204, NULL, NULL, 0);	/* its events said it */
	else
		chat_post_refuse(q, 400, "The body is to be a message: "
		    "{\"type\":\"msg\",\"text\":\"hello\"}.\n");
	json_decref(name);
	json_decref(o);
}
