/* Any text: read or refused, with an error that names the text. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/config.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every parser of values, whatever the key. */
static int
set(void *arg, const char *label, const char *value, const char **why)
{
	unsigned	 u;
	size_t		 n;
	int		 b;

	(void)arg;
	if (strlen(label) > 1023 || strlen(value) > 1023)
		abort();
	if (config_bool(value, &b, why) == 0 ||
	    config_size(value, 0, SIZE_MAX, &n, why) == 0 ||
	    config_uint(value, 0, 100, &u, why) == 0 ||
	    config_duration(value, 0, 100000, &u, why) == 0)
		return (0);
	if (*why == NULL)
		abort();
	return (strcmp(value, "bad") == 0 ? -1 : 0);
}

static int
section(void *arg, const char *name, const char *label, const char **why)
{
	(void)arg, (void)why;
	if (strlen(name) + strlen(label) > 1023)
		abort();
	return (0);
}

static const struct config_option	 options[] = {
	{ "main", "key", set, "" },
	{ "main", "app.*", set, "" },
	{ "route", "key", set, "" },
	{ "route", "*", set, "" },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_error	 err = { "" };
	char			*text = slice_dup(slice_of(data, size));
	int			 r;

	if (text == NULL)
		return (0);
	r = config_text("t", text, options, nitems(options), section, NULL,
	    &err);
	if (r == -1 && strncmp(err.text, "t:", 2) != 0)
		abort();
	free(text);
	return (0);
}
