/* kennel.h: what an application finds around itself. */
#include <stdarg.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "shardd/api/surroundings.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

const struct surroundings	*surroundings;

uint64_t
kennel_time(void)
{
	return (clock_wall_ms());
}

const char *
kennel_node(void)
{
	return (surroundings->node);
}

const char *
kennel_address(void)
{
	return (surroundings->address);
}

unsigned
kennel_slot(void)
{
	return (surroundings->slot);
}

const char *
kennel_version(void)
{
	return (KENNEL_VERSION);
}

const char *
kennel_option(const char *key)
{
	return (key == NULL ? NULL : options_get(surroundings->opt, key));
}

/* What is written at which level, under the name that applications have. */
static void (*const surroundings_log[])(const char *, ...) = {
	[KENNEL_LOG_WARN] = log_warn,
	[KENNEL_LOG_INFO] = log_info,
	[KENNEL_LOG_DEBUG] = log_debug,
};

/* A line of the application's. */
static void
surroundings_say(int level, const char *fmt, va_list ap)
{
	char	 text[1024];

	if (level < KENNEL_LOG_WARN)
		level = KENNEL_LOG_WARN;
	if (level > KENNEL_LOG_DEBUG)
		level = KENNEL_LOG_DEBUG;
	if (fmt == NULL || level > kennel_log_level())
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	surroundings_log[level]("app %s", text);
}

void
kennel_log(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	surroundings_say(KENNEL_LOG_INFO, fmt, ap);
	va_end(ap);
}

void
kennel_log_at(int level, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	surroundings_say(level, fmt, ap);
	va_end(ap);
}

int
kennel_log_level(void)
{
	switch (log_level_get()) {
	case LOG_LEVEL_WARN:
		return (KENNEL_LOG_WARN);
	case LOG_LEVEL_INFO:
		return (KENNEL_LOG_INFO);
	default:
		return (KENNEL_LOG_DEBUG);
	}
}
