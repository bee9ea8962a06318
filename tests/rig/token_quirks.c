/*
 * A PKCS#11 module that is another module with the faults and peculiarities of tokens in the field.
 *
 * TOKEN_QUIRKS_MODULE    the module that does the work
 * TOKEN_QUIRKS_FILE      the quirks, one a line: a word and what it takes; read at each call, so that they can change
 * TOKEN_QUIRKS_LOG       where calls that a test counts are written down, one a line
 *
 * A return value or a set of flags is a number in hexadecimal. The words:
 *
 * initialize RV          C_Initialize answers RV
 * slot-list RV           C_GetSlotList answers RV
 * bad-slot RV            a slot 4242 comes first, and answers RV whatever it is asked
 * flags BITS             these flags of CK_TOKEN_INFO are set
 * clear-flags BITS       these are not
 * count-low              CKF_USER_PIN_COUNT_LOW is set once a login was answered by `login`
 * nul-padding            the texts of CK_TOKEN_INFO are padded with NULs, and the serial number is all zeros
 * write-protected        the flag is set, no read-write session can be opened, nothing can be generated
 * protected-path PIN     a login must come without a PIN; PIN is what somebody types into the reader
 * login RV               C_Login for the user answers RV
 * first-logins N RV      as above, but only the first N of the log
 * context-login RV       C_Login for one operation answers RV
 * always-authenticate M  private keys want a login for each signature; M is `buffered` where data of any mechanism may come
 *                        in parts, else `strict`
 * hide-public            no public key object is found
 * hide-certificates      no certificate object is found
 * ec-params WHERE        an EC key is generated only with CKA_EC_PARAMS in WHERE: `private` or `both`
 * signs-wrongly          each signature is a little wrong
 * sign RV                C_Sign answers RV
 * break-after N RV       after N signatures everything answers RV, until the module is loaded anew
 *
 * Only what is needed of PKCS#11 2.40 is declared here. CK_FUNCTION_LIST is a version and 68 functions in the order of
 * its section 5, naturally aligned on Unix; a copy of it with other pointers is a module of its own.
 */
#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long rv_t; /* CK_RV, CK_ULONG and all handles */
typedef void (*function_t)(void);

enum {
    FUNCTIONS = 68,
    C_INITIALIZE = 0,
    C_GET_SLOT_LIST = 4,
    C_GET_SLOT_INFO = 5,
    C_GET_TOKEN_INFO = 6,
    C_OPEN_SESSION = 12,
    C_LOGIN = 18,
    C_GET_ATTRIBUTE_VALUE = 24,
    C_FIND_OBJECTS = 27,
    C_SIGN_INIT = 42,
    C_SIGN = 43,
    C_SIGN_UPDATE = 44,
    C_SIGN_FINAL = 45,
    C_GENERATE_KEY_PAIR = 59
};

enum {
    CKR_GENERAL_ERROR = 5,
    CKR_ARGUMENTS_BAD = 7,
    CKR_TEMPLATE_INCONSISTENT = 0xd1,
    CKR_TOKEN_WRITE_PROTECTED = 0xe2,
    CKR_USER_NOT_LOGGED_IN = 0x101,
    CKF_RW_SESSION = 2,
    CKF_WRITE_PROTECTED = 2,
    CKF_PROTECTED_AUTHENTICATION_PATH = 0x100,
    CKF_USER_PIN_COUNT_LOW = 0x10000,
    CKU_CONTEXT_SPECIFIC = 2,
    CKA_CLASS = 0,
    CKA_EC_PARAMS = 0x180,
    CKA_ALWAYS_AUTHENTICATE = 0x202,
    CKO_CERTIFICATE = 1,
    CKO_PUBLIC_KEY = 2,
    BAD_SLOT = 4242,
    MOST_ATTRIBUTES = 32
};

struct function_list {
    unsigned char version[2];
    function_t functions[FUNCTIONS];
};

struct attribute {
    rv_t type;
    void *value;
    rv_t length;
};

struct token_info {
    char label[32], manufacturer[32], model[16], serial[16];
    rv_t flags;
    /* More follows; the caller has it. */
};

static struct function_list own, *inner;
static rv_t signatures;
static bool authenticated;
static unsigned char parts[4096];
static rv_t parts_length;

/* The rest of the quirk's line, if the file has it; the buffer is the caller's. */
static bool quirk(const char *word, char *rest, size_t size)
{
    const char *path = getenv("TOKEN_QUIRKS_FILE");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char line[256];
    size_t length = strlen(word);
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0');
        if (found && rest != NULL)
            snprintf(rest, size, "%s", line[length] == ' ' ? line + length + 1 : "");
    }
    if (file != NULL)
        fclose(file);
    return found;
}

static bool has(const char *word)
{
    return quirk(word, NULL, 0);
}

static rv_t number(const char *word)
{
    char rest[64];
    return quirk(word, rest, sizeof rest) ? strtoul(rest, NULL, 16) : 0;
}

static void note(const char *line)
{
    const char *path = getenv("TOKEN_QUIRKS_LOG");
    FILE *file = path == NULL ? NULL : fopen(path, "a");
    if (file != NULL) {
        fprintf(file, "%s\n", line);
        fclose(file);
    }
}

/* How many lines of the log begin so. */
static unsigned long noted(const char *beginning)
{
    const char *path = getenv("TOKEN_QUIRKS_LOG");
    FILE *file = path == NULL ? NULL : fopen(path, "r");
    char line[64];
    unsigned long count = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        count += strncmp(line, beginning, strlen(beginning)) == 0;
    if (file != NULL)
        fclose(file);
    return count;
}

static rv_t broken(void)
{
    char rest[64], *end;
    unsigned long after;

    if (!quirk("break-after", rest, sizeof rest))
        return 0;
    after = strtoul(rest, &end, 10);
    return signatures >= after ? strtoul(end, NULL, 16) : 0;
}

/* The inner module's function, as a pointer of its type. */
#define INNER(index, ...) ((rv_t (*)(__VA_ARGS__))inner->functions[index])

static rv_t initialize(void *arguments)
{
    rv_t refused = number("initialize");
    note("C_Initialize");
    signatures = 0;
    return refused != 0 ? refused : INNER(C_INITIALIZE, void *)(arguments);
}

static rv_t get_slot_list(unsigned char present, rv_t *slots, rv_t *count)
{
    rv_t room = *count, answer = broken();
    if (answer == 0)
        answer = number("slot-list");
    if (answer != 0)
        return answer;
    if (!has("bad-slot"))
        return INNER(C_GET_SLOT_LIST, unsigned char, rv_t *, rv_t *)(present, slots, count);
    if (slots != NULL && room > 0) {
        *count = room - 1;
        answer = INNER(C_GET_SLOT_LIST, unsigned char, rv_t *, rv_t *)(present, slots + 1, count);
        slots[0] = BAD_SLOT;
    } else {
        answer = INNER(C_GET_SLOT_LIST, unsigned char, rv_t *, rv_t *)(present, NULL, count);
    }
    *count += 1;
    return answer;
}

static rv_t get_slot_info(rv_t slot, void *info)
{
    return slot == BAD_SLOT ? number("bad-slot") : INNER(C_GET_SLOT_INFO, rv_t, void *)(slot, info);
}

static void pad_with_nuls(char *text, size_t size)
{
    while (size > 0 && text[size - 1] == ' ')
        text[--size] = '\0';
}

static rv_t get_token_info(rv_t slot, struct token_info *info)
{
    rv_t answer = slot == BAD_SLOT ? number("bad-slot") : broken();
    if (answer == 0)
        answer = INNER(C_GET_TOKEN_INFO, rv_t, void *)(slot, info);
    if (answer != 0)
        return answer;
    info->flags = (info->flags | number("flags")) & ~number("clear-flags");
    if (has("write-protected"))
        info->flags |= CKF_WRITE_PROTECTED;
    if (has("protected-path"))
        info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    if (has("count-low") && noted("C_Login failed") > 0)
        info->flags |= CKF_USER_PIN_COUNT_LOW;
    if (has("nul-padding")) {
        pad_with_nuls(info->label, sizeof info->label);
        pad_with_nuls(info->manufacturer, sizeof info->manufacturer);
        pad_with_nuls(info->model, sizeof info->model);
        memset(info->serial, '0', sizeof info->serial);
    }
    return 0;
}

static rv_t open_session(rv_t slot, rv_t flags, void *application, void *notify, rv_t *session)
{
    if (has("write-protected") && (flags & CKF_RW_SESSION) != 0)
        return CKR_TOKEN_WRITE_PROTECTED;
    note((flags & CKF_RW_SESSION) != 0 ? "C_OpenSession rw" : "C_OpenSession ro");
    return INNER(C_OPEN_SESSION, rv_t, rv_t, void *, void *, rv_t *)(slot, flags, application, notify, session);
}

static rv_t context_login(void)
{
    rv_t refused = number("context-login");
    note("C_Login context");
    authenticated = refused == 0;
    return refused;
}

static rv_t login(rv_t session, rv_t user, unsigned char *pin, rv_t length)
{
    char rest[64], *end;
    unsigned long first;
    rv_t answer = broken();

    if (answer != 0)
        return answer;
    if (user == CKU_CONTEXT_SPECIFIC && has("always-authenticate"))
        return context_login();
    note(pin == NULL ? "C_Login user without a PIN" : "C_Login user");
    answer = number("login");
    if (quirk("first-logins", rest, sizeof rest)) {
        first = strtoul(rest, &end, 10);
        if (noted("C_Login user") <= first)
            answer = strtoul(end, NULL, 16);
    }
    if (answer != 0) {
        note("C_Login failed");
        return answer;
    }
    if (quirk("protected-path", rest, sizeof rest)) {
        if (pin != NULL)
            return CKR_ARGUMENTS_BAD;
        pin = (unsigned char *)rest;
        length = strlen(rest);
    }
    return INNER(C_LOGIN, rv_t, rv_t, unsigned char *, rv_t)(session, user, pin, length);
}

static rv_t get_attribute_value(rv_t session, rv_t object, struct attribute *attributes, rv_t count)
{
    rv_t answer = INNER(C_GET_ATTRIBUTE_VALUE, rv_t, rv_t, struct attribute *, rv_t)(session, object, attributes, count);
    for (rv_t i = 0; has("always-authenticate") && i < count; i++)
        if (attributes[i].type == CKA_ALWAYS_AUTHENTICATE && attributes[i].value != NULL && attributes[i].length == 1)
            *(unsigned char *)attributes[i].value = 1;
    return answer;
}

static bool hidden(rv_t session, rv_t object)
{
    rv_t class = 0;
    struct attribute attribute = {CKA_CLASS, &class, sizeof class};
    if (INNER(C_GET_ATTRIBUTE_VALUE, rv_t, rv_t, struct attribute *, rv_t)(session, object, &attribute, 1) != 0)
        return false;
    return (class == CKO_PUBLIC_KEY && has("hide-public")) || (class == CKO_CERTIFICATE && has("hide-certificates"));
}

static rv_t find_objects(rv_t session, rv_t *objects, rv_t room, rv_t *count)
{
    rv_t answer, found, kept = 0;
    do {
        answer = INNER(C_FIND_OBJECTS, rv_t, rv_t *, rv_t, rv_t *)(session, objects + kept, room - kept, &found);
        if (answer != 0)
            return answer;
        for (rv_t i = kept, end = kept + found; i < end; i++)
            if (!hidden(session, objects[i]))
                objects[kept++] = objects[i];
    } while (found > 0 && kept < room);
    *count = kept;
    return 0;
}

static rv_t sign_init(rv_t session, void *mechanism, rv_t key)
{
    rv_t answer = broken();
    authenticated = false;
    parts_length = 0;
    return answer != 0 ? answer : INNER(C_SIGN_INIT, rv_t, void *, rv_t)(session, mechanism, key);
}

static rv_t sign(rv_t session, unsigned char *data, rv_t length, unsigned char *signature, rv_t *signature_length)
{
    rv_t answer = broken();
    if (answer == 0)
        answer = number("sign");
    if (answer == 0 && has("always-authenticate") && !authenticated)
        answer = CKR_USER_NOT_LOGGED_IN;
    if (answer == 0)
        answer = INNER(C_SIGN, rv_t, unsigned char *, rv_t, unsigned char *, rv_t *)(session, data, length, signature,
                                                                                   signature_length);
    /* Without a buffer it is only asked how long the signature will be. */
    if (answer == 0 && signature != NULL) {
        note("C_Sign");
        signatures++;
        if (has("signs-wrongly") && *signature_length > 0)
            signature[*signature_length - 1] ^= 1;
    }
    return answer;
}

static rv_t sign_update(rv_t session, unsigned char *part, rv_t length)
{
    char mode[16] = "";
    quirk("always-authenticate", mode, sizeof mode);
    if (strcmp(mode, "buffered") != 0)
        return INNER(C_SIGN_UPDATE, rv_t, unsigned char *, rv_t)(session, part, length);
    if (!authenticated)
        return CKR_USER_NOT_LOGGED_IN;
    if (length > sizeof parts - parts_length)
        return CKR_GENERAL_ERROR;
    memcpy(parts + parts_length, part, length);
    parts_length += length;
    return 0;
}

static rv_t sign_final(rv_t session, unsigned char *signature, rv_t *signature_length)
{
    char mode[16] = "";
    quirk("always-authenticate", mode, sizeof mode);
    if (strcmp(mode, "buffered") != 0)
        return INNER(C_SIGN_FINAL, rv_t, unsigned char *, rv_t *)(session, signature, signature_length);
    return sign(session, parts, parts_length, signature, signature_length);
}

static struct attribute *attribute_of(struct attribute *attributes, rv_t count, rv_t type)
{
    for (rv_t i = 0; i < count; i++)
        if (attributes[i].type == type)
            return &attributes[i];
    return NULL;
}

typedef rv_t (*generate_t)(rv_t, void *, struct attribute *, rv_t, struct attribute *, rv_t, rv_t *, rv_t *);

static rv_t generate_key_pair(rv_t session, void *mechanism, struct attribute *public, rv_t public_count,
                              struct attribute *private, rv_t private_count, rv_t *public_key, rv_t *private_key)
{
    generate_t generate = (generate_t)inner->functions[C_GENERATE_KEY_PAIR];
    struct attribute moved[MOST_ATTRIBUTES], rest[MOST_ATTRIBUTES];
    struct attribute *in_public = attribute_of(public, public_count, CKA_EC_PARAMS);
    struct attribute *in_private = attribute_of(private, private_count, CKA_EC_PARAMS);
    rv_t rest_count = 0;
    char where[16];

    note("C_GenerateKeyPair");
    if (has("write-protected"))
        return CKR_TOKEN_WRITE_PROTECTED;
    if (!quirk("ec-params", where, sizeof where))
        return generate(session, mechanism, public, public_count, private, private_count, public_key, private_key);
    if (in_private == NULL || (in_public != NULL) != (strcmp(where, "both") == 0))
        return CKR_TEMPLATE_INCONSISTENT;
    if (public_count >= MOST_ATTRIBUTES || private_count > MOST_ATTRIBUTES)
        return CKR_ARGUMENTS_BAD;
    /* The inner module wants them where the standard has them. */
    memcpy(moved, public, public_count * sizeof *public);
    if (in_public == NULL)
        moved[public_count++] = *in_private;
    for (rv_t i = 0; i < private_count; i++)
        if (&private[i] != in_private)
            rest[rest_count++] = private[i];
    return generate(session, mechanism, moved, public_count, rest, rest_count, public_key, private_key);
}

static rv_t load(void)
{
    const char *path = getenv("TOKEN_QUIRKS_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    rv_t (*get_function_list)(struct function_list **);

    if (module == NULL) {
        fprintf(stderr, "token_quirks: %s\n", path == NULL ? "TOKEN_QUIRKS_MODULE is not set" : dlerror());
        return CKR_GENERAL_ERROR;
    }
    /* How POSIX wants the object pointer of dlsym made a function pointer. */
    *(void **)&get_function_list = dlsym(module, "C_GetFunctionList");
    if (get_function_list == NULL || get_function_list(&inner) != 0)
        return CKR_GENERAL_ERROR;
    own = *inner;
    own.functions[C_INITIALIZE] = (function_t)initialize;
    own.functions[C_GET_SLOT_LIST] = (function_t)get_slot_list;
    own.functions[C_GET_SLOT_INFO] = (function_t)get_slot_info;
    own.functions[C_GET_TOKEN_INFO] = (function_t)get_token_info;
    own.functions[C_OPEN_SESSION] = (function_t)open_session;
    own.functions[C_LOGIN] = (function_t)login;
    own.functions[C_GET_ATTRIBUTE_VALUE] = (function_t)get_attribute_value;
    own.functions[C_FIND_OBJECTS] = (function_t)find_objects;
    own.functions[C_SIGN_INIT] = (function_t)sign_init;
    own.functions[C_SIGN] = (function_t)sign;
    own.functions[C_SIGN_UPDATE] = (function_t)sign_update;
    own.functions[C_SIGN_FINAL] = (function_t)sign_final;
    own.functions[C_GENERATE_KEY_PAIR] = (function_t)generate_key_pair;
    return 0;
}

rv_t C_GetFunctionList(struct function_list **list)
{
    if (inner == NULL) {
        rv_t failure = load();
        if (failure != 0)
            return failure;
    }
    *list = &own;
    return 0;
}
