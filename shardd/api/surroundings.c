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

void
kennel_log(const char *fmt, ...)
{
	char	 text[1024];
	va_list	 ap;

	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("app %s", text);
}
