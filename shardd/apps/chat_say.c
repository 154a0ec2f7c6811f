/* What is said in a chat room: commands, and whom they reach. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/chat_event.h"
#include "shardd/apps/chat_say.h"
#include "shardd/apps/chat_users.h"

struct chat_word {
	const char	*at;
	size_t		 len;
};

enum chat_verb { CHAT_ALL, CHAT_GROUP, CHAT_WHISPER };

static const struct chat_command {
	const char	*name;
	enum chat_verb	 verb;
} chat_commands[] = {
	{ "/g", CHAT_GROUP },	{ "/group", CHAT_GROUP },
	{ "/w", CHAT_WHISPER },	{ "/msg", CHAT_WHISPER },
	{ "/a", CHAT_ALL },	{ "/all", CHAT_ALL },
};

/* ---- words ---- */

/* Length of the white space character at p (as JavaScript's \s), or 0. */
static size_t
chat_space(const char *p, const char *end)
{
	const unsigned char	*u = (const unsigned char *)p;
	unsigned		 c;

	if (p >= end)
		return (0);
	if (*u == ' ' || (*u >= '\t' && *u <= '\r'))
		return (1);
	if (end - p >= 2 && u[0] == 0xc2 && u[1] == 0xa0)
		return (2);
	if (end - p < 3 || u[0] < 0xe1 || u[0] > 0xef)
		return (0);
	c = (u[0] & 0xfu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
	if (c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	    c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 ||
	    c == 0xfeff)
		return (3);
	return (0);
}

static void
chat_skip(struct chat_word *w)
{
	size_t	 n;

	while ((n = chat_space(w->at, w->at + w->len)) > 0)
		w->at += n, w->len -= n;
}

/* Cut the first word off rest. */
static struct chat_word
chat_next(struct chat_word *rest)
{
	struct chat_word	 word = { rest->at, 0 };

	while (rest->len > 0 && chat_space(rest->at, rest->at + rest->len) == 0)
		rest->at++, rest->len--, word.len++;
	return (word);
}

static struct chat_word
chat_trim(const char *s, size_t len)
{
	struct chat_word	 w = { s, len };
	const char		*end = s, *p;

	chat_skip(&w);
	for (p = w.at; p < s + len; ) {
		size_t	 n = chat_space(p, s + len);

		p += n > 0 ? n : 1;
		if (n == 0)
			end = p;
	}
	w.len = end > w.at ? (size_t)(end - w.at) : 0;
	return (w);
}

/*
 * What does this text ask for?  On return *text is what to say, *target whom to.
 * A command that lacks its text is no command.
 */
static enum chat_verb
chat_parse(struct chat_word *text, struct chat_word *target)
{
	struct chat_word	 rest = *text, name, to = { NULL, 0 };

	name = chat_next(&rest);
	for (size_t i = 0; i < sizeof(chat_commands) / sizeof(*chat_commands);
	    i++) {
		const struct chat_command	*c = &chat_commands[i];

		if (strlen(c->name) != name.len ||
		    memcmp(c->name, name.at, name.len) != 0)
			continue;
		chat_skip(&rest);
		if (c->verb == CHAT_WHISPER) {
			to = chat_next(&rest);
			chat_skip(&rest);
		}
		if (rest.len == 0)
			break;
		*text = rest;
		*target = to;
		return (c->verb);
	}
	return (CHAT_ALL);
}

/* ---- whom it reaches ---- */

/* The target has it: now the sender's own copy. */
static void
chat_echo_cb(struct kennel_socket *s, int err, void *arg)
{
	char	*text = arg;

	(void)err;
	kennel_send(s, text, strlen(text), 0);
	free(text);
}

/* Takes text. */
static int
chat_say_socket(struct kennel_socket *s, enum chat_verb verb,
    const struct chat_word *to, char *text, size_t len)
{
	if (verb == CHAT_WHISPER) {
		if (kennel_whisper(s, to->at, to->len, text, len, 0,
		    chat_echo_cb, text) == 0)
			return (0);	/* chat_echo_cb frees it */
		kennel_send(s, text, len, 0);
	} else if (verb == CHAT_GROUP)
		kennel_emit(s, text, len, KENNEL_SELF);
	else
		kennel_broadcast(s, text, len, KENNEL_SELF, NULL, NULL);
	free(text);
	return (0);
}

/* The same of who has no socket at hand: its own copies go where it is. */
static int
chat_say_replica(const struct chat_speaker *f, enum chat_verb verb,
    const struct chat_word *to, const char *text, size_t len)
{
	int	 own = 0, r;

	if (verb == CHAT_ALL)
		return (kennel_replica_broadcast(f->r, text, len, 0, NULL,
		    NULL));
	if (verb == CHAT_GROUP) {
		own = !chat_users_here(f->r, f->uid, f->uid_len);
		r = kennel_replica_emit(f->r, text, len, 0);
	} else {
		own = to->len != f->uid_len ||
		    memcmp(to->at, f->uid, to->len) != 0;
		r = kennel_replica_whisper(f->r, to->at, to->len, text, len, 0,
		    NULL, NULL);
	}
	if (r == 0 && own)
		r = kennel_replica_whisper(f->r, f->uid, f->uid_len, text, len,
		    0, NULL, NULL);
	return (r);
}

int
chat_say(const struct chat_speaker *f, const char *said, size_t said_len)
{
	struct chat_word	 w = chat_trim(said, said_len), to = { NULL, 0 };
	enum chat_verb		 verb = chat_parse(&w, &to);
	json_t			*o = chat_event("user:msg",
				    chat_string(f->uid, f->uid_len));
	size_t			 len;
	char			*text;
	int			 r;

	json_object_set_new(o, "text", chat_string(w.at, w.len));
	if (verb == CHAT_GROUP)
		json_object_set_new(o, "meta", json_string("group"));
	if (verb == CHAT_WHISPER) {
		json_object_set_new(o, "meta", json_string("whisper"));
		json_object_set_new(o, "to", chat_string(to.at, to.len));
	}
	if ((text = chat_dump(o, &len)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	if (f->s != NULL)
		return (chat_say_socket(f->s, verb, &to, text, len));
	r = chat_say_replica(f, verb, &to, text, len);
	free(text);
	return (r);
}
