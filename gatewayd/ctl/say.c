/* What kennelctl says at its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gatewayd/ctl/say.h"

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
say_die(int status, const char *fmt, ...)
{
	va_list	 ap;

	fputs("kennelctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}
