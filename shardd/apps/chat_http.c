/*
 * What is said in a chat room by HTTP.  GET says a fixed sentence, POST the text that
 * is its body.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/chat_event.h"
#include "shardd/apps/chat_http.h"
#include "shardd/kennel.h"

#define CHAT_TEXT_MAX	65536		/* bytes that a POST may say */
#define CHAT_STRING(n)	CHAT_STRING_(n)
#define CHAT_STRING_(n)	#n

enum chat_reach { CHAT_TO_ALL, CHAT_TO_ONE, CHAT_TO_REPLICA };

static const struct chat_route {
	const char	*verb, *meta;
	enum chat_reach	 reach;
} chat_routes[] = {
	{ "/broadcast",	NULL,		CHAT_TO_ALL },
	{ "/whisper",	"whisper",	CHAT_TO_ONE },
	{ "/emit",	"group",	CHAT_TO_REPLICA },
};

/* A sentence, with its line's end. */
static void
chat_answer(struct kennel_request *q, int status, const char *why)
{
	kennel_respond(q, status, "text/plain", why, strlen(why));
}

static void
chat_done_cb(struct kennel_replica *r, int err, void *arg)
{
	(void)r;
	if (err == 0)
		kennel_respond(arg, 200, "text/plain;charset=utf-8", "DONE", 4);
	else
		chat_answer(arg, 504, "Not every process has answered: some "
		    "may not have heard it.\n");
}

/* Is it text as we take it?  A body without a type is. */
static int
chat_is_text(struct kennel_request *q)
{
	static const char	 plain[] = "text/plain", name[] = "charset=";
	const char		*type = kennel_request_header(q, "Content-Type");
	const char		*set;

	if (type == NULL)
		return (1);
	if (strncasecmp(type, plain, sizeof(plain) - 1) != 0)
		return (0);
	type += sizeof(plain) - 1;
	type += strspn(type, " \t");
	if (*type != '\0' && *type != ';')
		return (0);
	if ((set = strcasestr(type, name)) == NULL)
		return (1);
	set += sizeof(name) - 1;
	set += *set == '"';
	return (strncasecmp(set, "utf-8", 5) == 0 ||
	    strncasecmp(set, "us-ascii", 8) == 0);
}

/* What a POST says, without white space around it; or NULL, and q is answered. */
static json_t *
chat_posted(struct kennel_request *q)
{
	static const char	 space[] = " \t\r\n\v\f";
	size_t			 len;
	const char		*body = kennel_request_body(q, &len);
	json_t			*text;

	if (!chat_is_text(q)) {
		chat_answer(q, 415, "The body is to be the text, as "
		    "Content-Type: text/plain, in UTF-8.\n");
		return (NULL);
	}
	for (; len > 0 && body[0] != '\0' && strchr(space, body[0]) != NULL;
	    len--)
		body++;
	while (len > 0 && body[len - 1] != '\0' &&
	    strchr(space, body[len - 1]) != NULL)
		len--;
	if (len == 0)
		chat_answer(q, 400, "The body is empty: it is to be the "
		    "text.\n");
	else if (len > CHAT_TEXT_MAX)
		chat_answer(q, 413, "The text is longer than "
		    CHAT_STRING(CHAT_TEXT_MAX) " bytes.\n");
	else if ((text = chat_string(body, len)) == NULL)
		chat_answer(q, 400, "The text is not UTF-8.\n");
	else
		return (text);
	return (NULL);
}

/* Whom it is for.  DOG's clients need not say.  NULL: q is answered. */
static const char *
chat_target(struct kennel_request *q, int posted, size_t *len)
{
	const char	*target = kennel_request_query(q, "target", len);
	json_t		*name;

	if (target == NULL || *len == 0) {
		if (posted) {
			chat_answer(q, 400, "Whom is it for?  "
			    "/whisper?target=NAME\n");
			return (NULL);
		}
		target = "aaa";
		*len = 3;
	}
	if ((name = chat_string(target, *len)) == NULL) {
		chat_answer(q, 400, "target is not UTF-8.\n");
		return (NULL);
	}
	json_decref(name);
	return (target);
}

/* text is taken. */
static void
chat_tell(struct kennel_request *q, const struct chat_route *route,
    json_t *text, const char *target, size_t target_len)
{
	struct kennel_replica	*r = kennel_request_replica(q);
	json_t			*o = chat_event("user:msg", json_string("HTTP"));
	char			*message;
	size_t			 len;
	int			 sent = -1;

	json_object_set_new(o, "text", text);
	if (route->meta != NULL)
		json_object_set_new(o, "meta", json_string(route->meta));
	if (target != NULL)
		json_object_set_new(o, "to", chat_string(target, target_len));
	if ((message = chat_dump(o, &len)) != NULL) {
		switch (route->reach) {
		case CHAT_TO_ALL:
			sent = kennel_replica_broadcast(r, message, len, 0,
			    chat_done_cb, q);
			break;
		case CHAT_TO_ONE:
			sent = kennel_replica_whisper(r, target, target_len,
			    message, len, 0, chat_done_cb, q);
			break;
		case CHAT_TO_REPLICA:
			sent = kennel_replica_emit(r, message, len, 0);
			if (sent == 0)
				chat_done_cb(r, 0, q);
			break;
		}
	}
	if (sent == -1 && errno == EAGAIN) {
		/* Nothing was said: another process is too far behind. */
		kennel_header(q, "Retry-After", "1");
		chat_answer(q, 503, "Too much in this room still waits to be "
		    "said: try again.\n");
	} else if (sent == -1)
		chat_answer(q, 503, "It could not be sent.\n");
	free(message);
}

static void
chat_route(struct kennel_request *q, const struct chat_route *route)
{
	const char	*method = kennel_request_method(q), *target = NULL;
	int		 posted = strcmp(method, "POST") == 0;
	json_t		*text;
	size_t		 len = 0;

	if (app_options(q, "GET, HEAD, POST"))
		return;
	if (!posted && strcmp(method, "GET") != 0 &&
	    strcmp(method, "HEAD") != 0) {
		kennel_header(q, "Allow", "GET, HEAD, POST");
		chat_answer(q, 405, "Method not allowed\n");
		return;
	}
	if (route->reach == CHAT_TO_ONE &&
	    (target = chat_target(q, posted, &len)) == NULL)
		return;
	if (!posted)
		text = json_sprintf("SENT VIA \"%s\" HTTP route", route->verb);
	else if ((text = chat_posted(q)) == NULL)
		return;
	chat_tell(q, route, text, target, len);
}

int
chat_http(struct kennel_request *q, const char *verb)
{
	for (size_t i = 0; i < sizeof(chat_routes) / sizeof(*chat_routes); i++)
		if (strcmp(verb, chat_routes[i].verb) == 0) {
			chat_route(q, &chat_routes[i]);
			return (1);
		}
	return (0);
}
