import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** The calls that dcm4che makes for a TLS association, by the options of its command line: HOST PORT, then those. */
public class Jsse {
    static KeyStore load(String path, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream stream = new FileInputStream(path)) {
            store.load(stream, password);
        }
        return store;
    }

    static String option(String[] args, String name) {
        for (int i = 2; i + 1 < args.length; i++) {
            if (args[i].equals(name)) {
                return args[i + 1];
            }
        }
        throw new IllegalArgumentException("no " + name);
    }

    public static void main(String[] args) throws Exception {
        char[] keyPassword = option(args, "--key-store-pass").toCharArray();
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(load(option(args, "--key-store"), keyPassword), keyPassword);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(load(option(args, "--trust-store"), option(args, "--trust-store-pass").toCharArray()));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(args[0], Integer.parseInt(args[1]))) {
            socket.setEnabledProtocols(new String[] {"TLSv1.2"});
            socket.setEnabledCipherSuites(new String[] {option(args, "--tls-cipher")});
            socket.startHandshake();
            System.out.println(socket.getSession().getCipherSuite());
            System.out.println(socket.getSession().getLocalPrincipal());
        }
    }
}
