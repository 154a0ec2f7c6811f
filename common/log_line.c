/* A line of the log, as the format has it. */
#include <stdio.h>
#include <string.h>

#include "common/list.h"
#include "common/log_line.h"

#define LOG_FIELDS	16

/* Text in the line being made; what has no room is left out. */
struct log_out {
	char	*p;
	size_t	 len, size;
};

static const char *const log_line_levels[] = {
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
/* Of syslog(3). */
static const char log_line_priorities[] = {
	[LOG_LEVEL_WARN] = '4',
	[LOG_LEVEL_INFO] = '6',
	[LOG_LEVEL_DEBUG] = '7',
};

char
log_line_priority(enum log_level level)
{
	return (log_line_priorities[level]);
}

/* Bytes at the end: 0, or -1 when they have no room, and nothing was added. */
static int
log_line_add(struct log_out *o, const char *p, size_t n)
{
	if (o->size - o->len < n)
		return (-1);
	memcpy(o->p + o->len, p, n);
	o->len += n;
	return (0);
}

static int
log_line_puts(struct log_out *o, const char *s)
{
	return (log_line_add(o, s, strlen(s)));
}

/* A string of JSON, cut where there is no room: the log is ASCII, and what is not
 * is written as its code. */
static void
log_line_string(struct log_out *o, const char *s, size_t n)
{
	char	 esc[8];

	log_line_puts(o, "\"");
	for (size_t i = 0; i < n; i++) {
		unsigned char	 c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			snprintf(esc, sizeof(esc), "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			snprintf(esc, sizeof(esc), "\\u%04x", c);
		else
			esc[0] = (char)c, esc[1] = '\0';
		if (o->size - o->len < 8 || log_line_puts(o, esc) == -1)
			break;
	}
	log_line_puts(o, "\"");
}

/* The length of a key, if s begins with "key=", else 0. */
static size_t
log_line_key(const char *s)
{
	size_t	 n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return (n > 0 && s[n] == '=' ? n : 0);
}

/* The length of a value: a word, or what stands in quotes, with them. */
static size_t
log_line_value(const char *s)
{
	size_t	 n = 1;

	if (s[0] != '"')
		return (strcspn(s, " "));
	while (s[n] != '\0' && s[n] != '"')
		n += s[n] == '\\' && s[n + 1] != '\0' ? 2 : 1;
	return (n + (s[n] == '"'));
}

int
log_line_pair(const char **s, struct log_pair *p)
{
	size_t	 n, value, quoted;

	for (; **s != '\0'; *s += **s == ' ') {
		n = log_line_key(*s);
		value = log_line_value(n > 0 ? *s + n + 1 : *s);
		quoted = n > 0 && value >= 2 && (*s)[n + 1] == '"';
		p->key = *s;
		p->key_len = n;
		p->value = *s + n + 1 + quoted;
		p->value_len = value - 2 * quoted;
		*s += (n > 0 ? n + 1 : 0) + value;
		if (n > 0)
			return (1);
	}
	return (0);
}

/* Is p's key among the n of seen? */
static int
log_line_seen(const struct log_pair *seen, size_t n, const struct log_pair *p)
{
	for (size_t i = 0; i < n; i++)
		if (seen[i].key_len == p->key_len &&
		    memcmp(seen[i].key, p->key, p->key_len) == 0)
			return (1);
	return (0);
}

/* The key=value pairs of a message, in an object; of a key only the first. */
static void
log_line_fields(struct log_out *o, const char *s)
{
	struct log_pair	 pairs[LOG_FIELDS], p;
	size_t		 n = 0;

	log_line_puts(o, "{");
	while (n < LOG_FIELDS && log_line_pair(&s, &p)) {
		if (log_line_seen(pairs, n, &p))
			continue;
		/* Its key, its value all escaped, and what ends the line. */
		if (o->size - o->len < p.key_len + 6 * p.value_len + 28)
			break;
		if (n > 0)
			log_line_puts(o, ",");
		pairs[n++] = p;
		log_line_string(o, p.key, p.key_len);
		log_line_puts(o, ":");
		log_line_string(o, p.value, p.value_len);
	}
	log_line_puts(o, "}");
}

/* When, as ISO 8601 has it. */
static void
log_line_when(char *dst, size_t size, const struct timespec *t)
{
	struct tm	 tm;
	size_t		 n;

	gmtime_r(&t->tv_sec, &tm);
	n = strftime(dst, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst + n, size - n, ".%03ldZ", t->tv_nsec / 1000000);
}

/* An object. */
static void
log_line_json(struct log_out *o, const struct log_event *e, const char *when)
{
	char		 head[128];
	const size_t	 size = o->size;

	snprintf(head, sizeof(head), "{\"time\":\"%s\",\"level\":\"%s\","
	    "\"process\":", when, log_line_levels[e->level]);
	log_line_puts(o, head);
	log_line_string(o, e->ident, strnlen(e->ident, 64));
	snprintf(head, sizeof(head), ",\"pid\":%ld,\"message\":", e->pid);
	log_line_puts(o, head);
	o->size = size - 32;		/* for what follows */
	log_line_string(o, e->message, strlen(e->message));
	o->size = size - 8;
	log_line_puts(o, ",\"fields\":");
	log_line_fields(o, e->message);
	o->size = size;
	log_line_puts(o, "}");
}

size_t
log_line_write(char *line, size_t size, const struct log_event *e)
{
	struct log_out	 o = { line, 0, size - 1 };
	char		 when[40], head[160];
	size_t		 n = strlen(e->message);

	log_line_when(when, sizeof(when), &e->when);
	if (e->format == LOG_FORMAT_JSON)
		log_line_json(&o, e, when);
	else {
		if (e->format == LOG_FORMAT_JOURNALD)
			snprintf(head, sizeof(head), "<%c>%.64s[%ld] ",
			    log_line_priority(e->level), e->ident, e->pid);
		else
			snprintf(head, sizeof(head), "%s %s %.64s[%ld] ", when,
			    log_line_levels[e->level], e->ident, e->pid);
		log_line_puts(&o, head);
		log_line_add(&o, e->message, n < o.size - o.len ? n :
		    o.size - o.len);
	}
	line[o.len++] = '\n';
	return (o.len);
}
