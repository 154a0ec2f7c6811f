/* An INI file against a table of options. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "common/config.h"

#define CONFIG_FILE_MAX	(1 << 20)	/* bytes */
#define CONFIG_LINE_MAX	1024		/* with its end */
#define CONFIG_ERROR_MAX 512		/* bytes of one error */
#define CONFIG_BLANKS	" \t\v\f\r"

struct config_run {
	const char	*name;
	int		 line;
	char		 section[CONFIG_LINE_MAX], label[CONFIG_LINE_MAX];
	int		 skipped;	/* the section was not accepted */
	const struct config_option *opts;
	size_t		 nopts;
	config_section_cb *section_cb;
	void		*arg;
	struct config_error *err;
	size_t		 len;		/* of err->text */
	unsigned	 nerrors, untold;
};

static void	 config_fail(struct config_run *run, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3)));

/* One more error: a line of err->text while there is room. */
static void
config_fail(struct config_run *run, const char *fmt, ...)
{
	char	 text[CONFIG_ERROR_MAX];
	va_list	 ap;
	size_t	 n;

	run->nerrors++;
	/* A path however long leaves room for the reason. */
	n = (size_t)snprintf(text, sizeof(text), "%.256s:%d: ", run->name,
	    run->line);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, ap);
	va_end(ap);
	/* The last line may have to say how many more there are. */
	if (run->untold > 0 ||
	    strlen(text) + 64 > sizeof(run->err->text) - run->len) {
		run->untold++;
		return;
	}
	run->len += (size_t)sprintf(run->err->text + run->len, "%s%s",
	    run->len == 0 ? "" : "\n", text);
}

/* Does any row of the table name this section? */
static int
config_knows_section(const struct config_run *run, const char *section)
{
	for (size_t i = 0; i < run->nopts; i++)
		if (strcmp(run->opts[i].section, section) == 0)
			return (1);
	return (0);
}

/* Does nothing follow here, but blanks and a comment behind a blank? */
static int
config_ends(const char *s)
{
	size_t	 n = strspn(s, CONFIG_BLANKS);

	return (s[n] == '\0' || (n > 0 && (s[n] == ';' || s[n] == '#')));
}

/* A line "[name label]" begins a section, even one that has no keys. */
static void
config_section(struct config_run *run, const char *line)
{
	struct slice	 s;
	const char	*end = strchr(line, ']'), *why = NULL;
	size_t		 n;

	run->skipped = 1;
	if (end == NULL || !config_ends(end + 1)) {
		config_fail(run, "a section is written [name] on a line");
		return;
	}
	s = slice_trim(slice_of(line + 1, (size_t)(end - line) - 1));
	n = 0;
	while (n < s.len && s.data[n] != ' ' && s.data[n] != '\t')
		n++;
	memcpy(run->section, s.data, n);
	run->section[n] = '\0';
	s = slice_trim(slice_of(s.data + n, s.len - n));
	memcpy(run->label, s.data, s.len);
	run->label[s.len] = '\0';
	if (!config_knows_section(run, run->section))
		config_fail(run, "[%s]: there is no such section",
		    run->section);
	else if (run->section_cb != NULL &&
	    run->section_cb(run->arg, run->section, run->label, &why) == -1)
		config_fail(run, "[%s%s%s]: %s", run->section,
		    *run->label ? " " : "", run->label,
		    why != NULL ? why : "not a valid section");
	else
		run->skipped = 0;
}

/* Does row o take this key?  Its own name, or "prefix*". */
static int
config_takes(const struct config_option *o, const char *key)
{
	size_t	 n = strlen(o->key);

	if (n > 0 && o->key[n - 1] == '*')
		return (strncmp(o->key, key, n - 1) == 0);
	return (strcmp(o->key, key) == 0);
}

/*
 * The value in what follows the sign behind a key: without the blanks around it, the
 * comment behind it, or its quotes.
 */
static char *
config_value(char *rest)
{
	char	*value = rest + strspn(rest, CONFIG_BLANKS), *end = value;

	if (*value == '"' || *value == '\'')
		while ((end = strchr(end + 1, *value)) != NULL)
			if (config_ends(end + 1)) {
				*end = '\0';
				return (value + 1);
			}
	for (end = rest; !config_ends(end); end++)
		;
	*end = '\0';
	return (end < value ? end : value);
}

/* A line "key = value" goes to the first row that takes it. */
static void
config_key(struct config_run *run, char *line)
{
	char		*value = strpbrk(line, "=:"), *end = value;
	const char	*label = run->label, *why = NULL;

	if (value == NULL) {
		config_fail(run, "neither [section] nor key = value");
		return;
	}
	if (run->skipped)
		return;
	value = config_value(value + 1);
	while (end > line && strchr(CONFIG_BLANKS, end[-1]) != NULL)
		end--;
	*end = '\0';
	if (*run->section == '\0') {
		config_fail(run, "%s: stands before the first [section]", line);
		return;
	}
	for (size_t i = 0; i < run->nopts; i++) {
		const struct config_option	*o = &run->opts[i];

		if (strcmp(o->section, run->section) != 0 ||
		    !config_takes(o, line))
			continue;
		if (strchr(o->key, '*') != NULL)
			label = line;
		if (o->set(run->arg, label, value, &why) == 0)
			return;
		if (why == NULL)
			why = "not a valid value";
		goto fail;
	}
	why = "there is no such key";
fail:
	config_fail(run, "[%s%s%s] %s: %s", run->section,
	    *run->label ? " " : "", run->label, line, why);
}

/* One line of n bytes, without its end. */
static void
config_line(struct config_run *run, const char *at, size_t n)
{
	char	 line[CONFIG_LINE_MAX];

	for (; n > 0 && strchr(CONFIG_BLANKS, *at) != NULL; n--)
		at++;
	while (n > 0 && strchr(CONFIG_BLANKS, at[n - 1]) != NULL)
		n--;
	if (n >= sizeof(line)) {
		config_fail(run, "the line is longer than %zu bytes",
		    sizeof(line) - 1);
		return;
	}
	memcpy(line, at, n);
	line[n] = '\0';
	if (*line == '[')
		config_section(run, line);
	else if (*line != '\0' && *line != ';' && *line != '#')
		config_key(run, line);
}

int
config_text(const char *name, const char *text,
    const struct config_option *opts, size_t nopts,
    config_section_cb *section_cb, void *arg, struct config_error *err)
{
	struct config_run	 run = { .name = name, .opts = opts,
				    .nopts = nopts, .section_cb = section_cb,
				    .arg = arg, .err = err };
	size_t			 n;

	err->text[0] = '\0';
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)	/* a byte order mark */
		text += 3;
	while (*text != '\0') {
		run.line++;
		n = strcspn(text, "\n");
		config_line(&run, text, n);
		text += text[n] == '\0' ? n : n + 1;
	}
	if (run.untold > 0)
		sprintf(err->text + run.len, "\nand %u more", run.untold);
	return (run.nerrors > 0 ? -1 : 0);
}

int
config_file(const char *path, const struct config_option *opts,
    size_t nopts, config_section_cb *section_cb, void *arg,
    struct config_error *err)
{
	FILE	*f;
	char	*text;
	size_t	 n;
	int	 r = -1;

	if ((f = fopen(path, "re")) == NULL) {
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    strerror(errno));
		return (-1);
	}
	if ((text = malloc(CONFIG_FILE_MAX + 1)) == NULL) {
		snprintf(err->text, sizeof(err->text), "%s: no memory", path);
		fclose(f);
		return (-1);
	}
	n = fread(text, 1, CONFIG_FILE_MAX, f);
	text[n] = '\0';
	if (ferror(f))
		snprintf(err->text, sizeof(err->text), "%s: %s", path,
		    strerror(errno));
	else if (n == CONFIG_FILE_MAX)
		snprintf(err->text, sizeof(err->text),
		    "%s: larger than 1 MiB", path);
	else if (memchr(text, '\0', n) != NULL)
		snprintf(err->text, sizeof(err->text),
		    "%s: this is not a text file", path);
	else
		r = config_text(path, text, opts, nopts, section_cb, arg, err);
	free(text);
	fclose(f);
	return (r);
}

/* ---- values ---- */

int
config_bool(const char *value, int *out, const char **why)
{
	static const char *const	 yes[] = { "yes", "true", "on", "1" };
	static const char *const	 no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < nitems(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0)
			return (*out = 1, 0);
		if (strcasecmp(value, no[i]) == 0)
			return (*out = 0, 0);
	}
	*why = "must be yes or no";
	return (-1);
}

/* A number and what follows it: 0, or -1. */
static int
config_number(const char *value, uint64_t *n, const char **rest)
{
	size_t	 digits = strspn(value, "0123456789");

	*rest = value + digits;
	return (slice_u64(slice_of(value, digits), UINT64_MAX / 4096 / 1024 /
	    1024, n));
}

static int
config_range(uint64_t n, uint64_t min, uint64_t max, const char *unit,
    const char **why)
{
	static char	 text[96];

	if (n >= min && n <= max)
		return (0);
	snprintf(text, sizeof(text), "must be from %llu to %llu%s",
	    (unsigned long long)min, (unsigned long long)max, unit);
	*why = text;
	return (-1);
}

int
config_size(const char *value, size_t min, size_t max, size_t *out,
    const char **why)
{
	static const char	 units[] = "kmg";
	const char		*rest, *unit;
	uint64_t		 n;

	if (config_number(value, &n, &rest) == -1)
		goto bad;
	if (*rest != '\0') {
		if ((unit = strchr(units, *rest | 0x20)) == NULL ||
		    *unit == '\0' || rest[1] != '\0')
			goto bad;
		n <<= 10 * (unit - units + 1);
	}
	if (config_range(n, min, max, " bytes", why) == -1)
		return (-1);
	*out = (size_t)n;
	return (0);
bad:
	*why = "must be a size like 512, 64k, 16M or 1G";
	return (-1);
}

int
config_uint(const char *value, unsigned min, unsigned max, unsigned *out,
    const char **why)
{
	const char	*rest;
	uint64_t	 n;

	if (config_number(value, &n, &rest) == -1 || *rest != '\0') {
		*why = "must be a number";
		return (-1);
	}
	if (config_range(n, min, max, "", why) == -1)
		return (-1);
	*out = (unsigned)n;
	return (0);
}

/* *why, and what would be right. */
static int
config_limit_bad(const char **why)
{
	static char	 text[128];

	snprintf(text, sizeof(text), "%s (\"none\" is no limit)", *why);
	*why = text;
	return (-1);
}

int
config_limit(const char *value, unsigned max, unsigned *out, const char **why)
{
	if (strcmp(value, "none") == 0)
		return (*out = 0, 0);
	return (config_uint(value, 1, max, out, why) == 0 ? 0 :
	    config_limit_bad(why));
}

int
config_limit_size(const char *value, size_t max, size_t *out,
    const char **why)
{
	if (strcmp(value, "none") == 0)
		return (*out = 0, 0);
	return (config_size(value, 1, max, out, why) == 0 ? 0 :
	    config_limit_bad(why));
}

struct config_unit {
	const char	*name;
	unsigned	 times;		/* of what the value is kept in */
};

/* A number with one of n units: 0, or -1 with *why, which is bad if it has none. */
static int
config_time(const char *value, const struct config_unit *units, size_t n,
    unsigned min, unsigned max, unsigned *out, const char *in, const char *bad,
    const char **why)
{
	const char	*rest;
	uint64_t	 v;

	if (config_number(value, &v, &rest) == -1)
		goto bad;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		v *= units[i].times;
		if (config_range(v, min, max, in, why) == -1)
			return (-1);
		*out = (unsigned)v;
		return (0);
	}
bad:
	*why = bad;
	return (-1);
}

int
config_duration(const char *value, unsigned min_ms, unsigned max_ms,
    unsigned *out_ms, const char **why)
{
	static const struct config_unit	 units[] = { { "", 1000 }, { "ms", 1 },
					    { "s", 1000 }, { "m", 60000 },
					    { "h", 3600000 } };

	return (config_time(value, units, nitems(units), min_ms, max_ms, out_ms,
	    " ms", "must be a duration like 500ms, 10s, 2m or 1h", why));
}

int
config_lifetime(const char *value, unsigned min_s, unsigned max_s,
    unsigned *out_s, const char **why)
{
	static const struct config_unit	 units[] = { { "", 1 }, { "s", 1 },
					    { "m", 60 }, { "h", 3600 },
					    { "d", 86400 } };

	return (config_time(value, units, nitems(units), min_s, max_s, out_s,
	    " s", "must be a time like 10m, 12h or 30d", why));
}
