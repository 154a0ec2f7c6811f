/*
 * An INI file against a table of options.  Errors name file, line, section and key;
 * all are told at once.
 *
 * A section is "[name]" or "[name label]" ("[route lobby]"); of one that is not
 * accepted the keys are passed over.  Values may be quoted.  A comment begins with
 * ';' or '#' at the start of a line or behind a blank; elsewhere, and between quotes,
 * both are part of the value.  A line has at most 1023 bytes.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stddef.h>

struct config_error {
	/* "kennel.ini:12: [route a] limit: no number", a line each; when there is no
	 * room for all of them, how many more there are. */
	char	text[4096];
};

struct config_option {
	/*
	 * A key that ends in '*' takes every key that begins so ("app.*",
	 * "*"); its set is given the key in place of the label.  The first row
	 * that fits wins.
	 */
	const char	*section, *key;
	/*
	 * label is what follows the section's name ("" if nothing).  Returns 0,
	 * or -1 with *why a sentence (static or in a static buffer).
	 */
	int		(*set)(void *arg, const char *label, const char *value,
			    const char **why);
	const char	*help;
};

/*
 * Called when a section begins, before its keys (repeated labels too):
 * returns 0, or -1 with *why.  NULL: sections need no notice.
 */
typedef int	config_section_cb(void *arg, const char *section,
		    const char *label, const char **why);

/* Parse the file at path.  0, or -1 with *err filled.  Unknown sections and keys are
 * errors. */
int	 config_file(const char *path, const struct config_option *opts,
	    size_t nopts, config_section_cb *section_cb, void *arg,
	    struct config_error *err);
/* The same from memory; name stands for the path in errors. */
int	 config_text(const char *name, const char *text,
	    const struct config_option *opts, size_t nopts,
	    config_section_cb *section_cb, void *arg, struct config_error *err);

/* Value parsers for set functions: 0, or -1 with *why. */
int	 config_bool(const char *value, int *out, const char **why);
/* "10", "4k", "16M", "1G" (powers of 1024), min..max. */
int	 config_size(const char *value, size_t min, size_t max, size_t *out,
	    const char **why);
int	 config_uint(const char *value, unsigned min, unsigned max,
	    unsigned *out, const char **why);
/* A limit: "none" is no limit, *out 0, and 0 is refused; else as above, from 1. */
int	 config_limit(const char *value, unsigned max, unsigned *out,
	    const char **why);
int	 config_limit_size(const char *value, size_t max, size_t *out,
	    const char **why);
/* "500ms", "10s", "2m", "1h"; a bare number is seconds. */
int	 config_duration(const char *value, unsigned min_ms, unsigned max_ms,
	    unsigned *out_ms, const char **why);
/* "30d", "12h", "10m", "20s"; a bare number is seconds. */
int	 config_lifetime(const char *value, unsigned min_s, unsigned max_s,
	    unsigned *out_s, const char **why);

#endif
