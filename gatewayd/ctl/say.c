/* What kennelctl says at its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/log.h"
#include "gatewayd/ctl/say.h"

#define SAY_MAX		8192		/* bytes of what is said at last */

static const char	*say_verb;	/* in lines; NULL: they are not wanted */

void
say_json(const struct json_t *answer)
{
	json_dumpf(answer, stdout, JSON_INDENT(2));
	putchar('\n');
}

int
say_end(void)
{
	if (fflush(stdout) == EOF)
		say_die(EXIT_NONE, "cannot write: %s", strerror(errno));
	return (0);
}

void
say_begin_lines(const char *verb)
{
	say_verb = verb;
}

int
say_line(const struct json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	return (fflush(stdout) == EOF ? -1 : 0);
}

void
say_last(struct json_t *answer, int status)
{
	if (say_verb == NULL) {
		say_json(answer);
		return;
	}
	json_object_set_new(answer, "what", json_string(say_verb));
	json_object_set_new(answer, "exit", json_integer(status));
	(void)say_line(answer);		/* say_end() tells */
}

void
say_die(int status, const char *fmt, ...)
{
	char	 text[SAY_MAX], plain[SAY_MAX];
	va_list	 ap;
	json_t	*last;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "kennelctl: %s\n", text);
	if (say_verb != NULL) {
		last = json_object();
		if (json_object_set_new(last, "error", json_string(text)) == -1)
			json_object_set_new(last, "error", json_string(
			    log_escape(plain, sizeof(plain), text,
			    strlen(text))));	/* no UTF-8 */
		say_last(last, status);
		json_decref(last);
	}
	exit(status);
}
